"""Kamailio as the IMS core: the answer for whoever outgrows the embedded one (floor 3).

    async with Kamailio(Configuration(), hss) as core:   # P-, I- and S-CSCF, each on its own address
        ...                                              # core.addresses: where the P-CSCF listens

An unmodified Kamailio 5.6 of Debian is configured, started and stopped; it asks our HSS over Diameter Cx, and
mirrors every message (HEP) so that the trace of the lab shows all hops.
"""

from imslab.kamailio.configuration import Configuration
from imslab.kamailio.core import PACKAGES, Kamailio, missing

__all__ = ["PACKAGES", "Configuration", "Kamailio", "missing"]
