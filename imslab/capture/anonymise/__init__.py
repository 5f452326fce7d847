"""Anonymise a capture, so that it can be given away: other names, numbers, addresses and keys, the same
behaviour.

    made = anonymise("field.pcapng", seed=os.urandom(32), k="465b...", opc="cd63...")
    Path("public.pcapng").write_bytes(made.octets); print(made.report)

Everything that names somebody is replaced, the same by the same, by something as long: no octet moves, no
time changes, checksums that were right stay right. With K the challenges are made anew with a key to throw
away, and the digests fit it. Media become noise, and what nobody here can read becomes zeros.
"""

from imslab.capture.anonymise.rewriting import Anonymised, Report, anonymise

__all__ = ["Anonymised", "Report", "anonymise"]
