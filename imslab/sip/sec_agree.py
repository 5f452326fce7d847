"""Security-Client, Security-Server and Security-Verify.

Spec: RFC 3329, section 2.2; 3GPP TS 33.203, annex H (ipsec-3gpp: alg, ealg, prot, mod, spi, port).
The announcer's own inbound associations are described: spi-c/port-c as client, spi-s/port-s as server.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from imslab.errors import Malformed
from imslab.sip.syntax import MAX_UINT32, NO_PARAMS, TOKEN, Params, number, parameters

_NAME = re.compile(rf"({TOKEN})[ \t]*")
_PREFERENCE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class SecurityMechanism:
    """One mechanism: its name (``ipsec-3gpp``, ``tls``, ``digest`` ...) and parameters."""

    name: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name;alg=...;q=0.1``, or raise Malformed."""
        match = _NAME.match(text)
        if match is None:
            raise Malformed("bad security mechanism", expected="name;parameters")
        return cls(match[1], parameters(text, match.end()))

    @classmethod
    def ipsec_3gpp(cls, *, alg: str, spi_c: int, spi_s: int, port_c: int, port_s: int, **more: str) -> Self:
        """Build an ``ipsec-3gpp`` mechanism; ``more``: q, ealg, prot, mod."""
        values = {"alg": alg, **more}
        values |= {"spi-c": str(spi_c), "spi-s": str(spi_s), "port-c": str(port_c), "port-s": str(port_s)}
        return cls("ipsec-3gpp", Params(values))

    def __str__(self) -> str:
        return f"{self.name}{self.params}"

    @property
    def q(self) -> float:
        """The preference, 0 to 1; 0.001 when absent or malformed, the least (RFC 3329, 2.2)."""
        text = self.params.get("q") or ""
        return float(text) if _PREFERENCE.fullmatch(text) else 0.001

    @property
    def alg(self) -> str | None:
        """The integrity algorithm, in lower case; None when absent."""
        return self._lower("alg")

    @property
    def ealg(self) -> str:
        """The encryption algorithm, in lower case; ``null`` when absent."""
        return self._lower("ealg") or "null"

    @property
    def prot(self) -> str:
        """The protocol, in lower case; ``esp`` when absent."""
        return self._lower("prot") or "esp"

    @property
    def mode(self) -> str:
        """The mode (``mod``), in lower case; ``trans`` when absent."""
        return self._lower("mod") or "trans"

    @property
    def spi_c(self) -> int | None:
        """The SPI of the association inbound to the announcer's client port; None when absent."""
        return self._number("spi-c", MAX_UINT32)

    @property
    def spi_s(self) -> int | None:
        """The SPI of the association inbound to the announcer's server port; None when absent."""
        return self._number("spi-s", MAX_UINT32)

    @property
    def port_c(self) -> int | None:
        """The protected client port; None when absent."""
        return self._number("port-c", 65535)

    @property
    def port_s(self) -> int | None:
        """The protected server port; None when absent."""
        return self._number("port-s", 65535)

    def same_as(self, other: "SecurityMechanism") -> bool:
        """Return whether both say the same, whatever the order and case: the check of Security-Verify."""
        return self._compared() == other._compared()

    def _compared(self) -> tuple[str, dict[str, str]]:
        return self.name.lower(), {name: (value or "").lower() for name, value in self.params.items()}

    def _lower(self, name: str) -> str | None:
        value = self.params.get(name)
        return value.lower() if value else None

    def _number(self, name: str, highest: int) -> int | None:
        value = self.params.get(name)
        return None if value is None else number(name, value, highest)


def same_list(sent: Sequence[SecurityMechanism], returned: Sequence[SecurityMechanism]) -> bool:
    """Return whether Security-Verify repeats Security-Server, element by element (RFC 3329, 2.3.1).

    When it does not, the server answers 494.
    """
    return len(sent) == len(returned) and all(map(SecurityMechanism.same_as, sent, returned))


def choose(
    offered: Iterable[SecurityMechanism], supported: Iterable[SecurityMechanism]
) -> SecurityMechanism | None:
    """Return the offered mechanism of the highest q that ``supported`` holds too; None when there is none.

    Mechanisms agree when name, alg, ealg, prot and mod do (3GPP TS 33.203, 7.2); of equals the first wins.
    """
    known = {_kind(mechanism) for mechanism in supported}
    fitting = [mechanism for mechanism in offered if _kind(mechanism) in known]
    return max(fitting, key=lambda mechanism: mechanism.q, default=None)


def _kind(mechanism: SecurityMechanism) -> tuple[str, str | None, str, str, str]:
    return mechanism.name.lower(), mechanism.alg, mechanism.ealg, mechanism.prot, mechanism.mode
