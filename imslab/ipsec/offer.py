"""What an end offers in Security-Client or Security-Server: its transforms, and where it receives.

Spec: 3GPP TS 33.203, 7.2 and annex H; RFC 3329, 2.2. A transform is written as its two names,
"encryption/integrity": "aes-cbc/hmac-sha-1-96". One header row stands for each, all with the same SPIs and
ports, for whichever is agreed on.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from imslab.errors import Malformed
from imslab.ipsec.associations import algorithms
from imslab.ipsec.keys import encryption_key, integrity_key
from imslab.sip.sec_agree import SecurityMechanism
from imslab.sip.syntax import Params

# What an end of ours offers unless it is told otherwise, in this order: first the pair that every network
# speaks, then one that is newer, last what hides nothing. MD5 and 3DES are gone from annex H.
TRANSFORMS = ("aes-cbc/hmac-sha-1-96", "aes-gcm/null", "null/aes-gmac", "null/hmac-sha-1-96")

_MOST = 9  # of them in one offer: q has one digit here
_NO_KEY = bytes(16)


class Receiving(NamedTuple):
    """Where one end receives: SPI and port as client, SPI and port as server (TS 33.203, 7.1)."""

    spi_c: int
    spi_s: int
    port_c: int
    port_s: int


def offer(
    transforms: Sequence[str], receiving: Receiving, *, ranked: bool = False
) -> tuple[SecurityMechanism, ...]:
    """Return a mechanism for each transform; ``ranked`` gives them q, the first the highest.

    Raises Malformed for a name that is unknown, and for two that do not go together.
    """
    if not 0 < len(transforms) <= _MOST:
        raise Malformed(f"{len(transforms)} transforms", expected=f"1 to {_MOST}")
    return tuple(
        _mechanism(name, receiving, f"0.{_MOST - place}" if ranked else None)
        for place, name in enumerate(transforms)
    )


def chosen(wanted: "bool | str | Iterable[str]") -> tuple[str, ...]:
    """Return the transforms that ``wanted`` means: True our own, a name or several those, False none.

    Raises Malformed for what cannot be offered.
    """
    if isinstance(wanted, bool):
        return TRANSFORMS if wanted else ()
    names = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    if names:
        offer(names, Receiving(1, 2, 1, 2))
    return names


def name_of(mechanism: SecurityMechanism) -> str:
    """Return the transform that a mechanism names; Malformed when it names none."""
    alg, ealg, _ = algorithms(mechanism)
    return f"{ealg}/{alg}"


def _mechanism(name: str, receiving: Receiving, q: str | None) -> SecurityMechanism:
    ealg, alg = _algorithms(name)
    more = {"ealg": ealg, "prot": "esp", "mod": "trans"} | ({} if q is None else {"q": q})
    spi_c, spi_s, port_c, port_s = receiving
    return SecurityMechanism.ipsec_3gpp(
        alg=alg, spi_c=spi_c, spi_s=spi_s, port_c=port_c, port_s=port_s, **more
    )


@functools.lru_cache(maxsize=64)
def _algorithms(name: str) -> tuple[str, str]:
    """Return encryption and integrity; Malformed when one is unknown, or they do not go together."""
    ealg, slash, alg = name.partition("/")
    if not slash:
        raise Malformed(f"{name[:40]!r} is no transform", expected="encryption/integrity")
    algorithms(SecurityMechanism("ipsec-3gpp", Params({"alg": alg, "ealg": ealg})))
    encryption_key(ealg, _NO_KEY, _NO_KEY)
    integrity_key(alg, _NO_KEY, _NO_KEY)
    return ealg, alg
