"""Kamailio: P-, I- and S-CSCF for the domain of a profile. The subscriber itself is provisioned in the HSS.

Source: ``imslab.kamailio``, which writes what is written here and runs it. Kamailio computes no AKA: it
compares with what the HSS gives it, so Milenage, TUAK and XOR are all the same to it.
"""

from pathlib import Path

from imslab.aka import digest
from imslab.errors import Malformed
from imslab.interop.peer import Limit, Peer, Target
from imslab.kamailio import Configuration
from imslab.uicc.profile import Profile


def limits(profile: Profile, target: Target) -> list[Limit]:
    """Return what stands between Kamailio 5.6 and this profile."""
    found = []
    try:
        configuration(profile, target)
    except Malformed as error:
        found.append(Limit(str(error)))
    if digest.aka_version(target.algorithm) == 2:
        why = "AKAv2 is a name in it: right only behind an HSS that gives RFC 4169's password, as ours does"
        found.append(Limit(why, blocks=False))
    return [*found, Limit("offers one algorithm at a time", blocks=False)]


def configuration(profile: Profile, target: Target) -> Configuration:
    """Return the configuration of the three CSCFs; Malformed for what Kamailio does not know."""
    return Configuration(
        pcscf=target.pcscf, domain=profile.domain, port=target.port, algorithm=target.algorithm,
        trace=(target.pcscf, 9060),
    )  # fmt: skip


def files(profile: Profile, target: Target, directory: str = "") -> dict[str, str]:
    """Return the configuration files; they name each other within ``directory``."""
    return configuration(profile, target).files(Path(directory).absolute())


def usage(profile: Profile, target: Target) -> str:
    """Return how Kamailio is started, and where its subscribers come from."""
    lines = [f"kamailio -DD -E -f {name}.cfg" for name in ("scscf", "icscf", "pcscf")]
    hss = (
        "First an HSS that knows the subscriber: ours (imslab kamailio run --profile FILE starts all four),"
        " or PyHSS (see pyhss)"
    )
    return "\n".join([hss, *lines])


PEER = Peer(
    "kamailio", "Kamailio 5.6: P-CSCF, I-CSCF, S-CSCF",
    "imslab.kamailio, with Kamailio 5.6.3 of Debian", limits, files, usage,
)  # fmt: skip
