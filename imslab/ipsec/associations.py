"""The four security associations between a terminal and its P-CSCF.

Spec: 3GPP TS 33.203, clauses 7.1 and 7.2, and annex H; RFC 3329. Each end announces in its header the
SPIs and ports at which *it* receives: spi-c and port-c of its client port, spi-s and port-s of its server
port. So the terminal sends a request from its port-c to the P-CSCF's port-s, under the P-CSCF's spi-s.

Teaching code: it is not constant time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from imslab.errors import Malformed
from imslab.ipsec.esp import SecurityAssociation
from imslab.ipsec.keys import encryption_key, integrity_key
from imslab.sip.sec_agree import SecurityMechanism, choose

MECHANISM = "ipsec-3gpp"
_MODES = ("trans", "udp-enc-tun")


@dataclass(frozen=True, slots=True)
class Association:
    """One of the four: who sends from which port to which port, and under which SPI and keys.

    ``from_ue``  the terminal sends;  ``use``: what for
    """

    from_ue: bool
    source_port: int
    destination_port: int
    sa: SecurityAssociation
    use: str


@dataclass(frozen=True, slots=True)
class Associations:
    """The four associations of one security agreement; ``mode`` is "trans" or "udp-enc-tun".

    ``request``         terminal -> P-CSCF: what the terminal asks
    ``answer``          P-CSCF -> terminal: the answers to that, on the same TCP connection
    ``network_request`` P-CSCF -> terminal: what the network asks; over UDP answers to the terminal too
    ``network_answer``  terminal -> P-CSCF: the answers to that
    """

    request: Association
    answer: Association
    network_request: Association
    network_answer: Association
    mode: str = "trans"

    def __iter__(self) -> Iterator[Association]:
        yield from (self.request, self.answer, self.network_request, self.network_answer)

    @classmethod
    def agree(cls, client: SecurityMechanism, server: SecurityMechanism, ck: bytes, ik: bytes) -> Self:
        """Derive the associations from what both announced, and CK and IK of 16 octets each.

        ``client``  the terminal's Security-Client;  ``server``: the P-CSCF's Security-Server, whose
        algorithms hold. Raises Malformed when one lacks what it must say, names algorithms that do not
        go together, or when the two announce an association twice.
        """
        alg, ealg, mode = algorithms(server)
        algorithms(client)
        keys = (ealg, encryption_key(ealg, ck, ik), alg, integrity_key(alg, ck, ik))
        spi_uc, spi_us, port_uc, port_us = _inbound(client)
        spi_pc, spi_ps, port_pc, port_ps = _inbound(server)

        def one(from_ue: bool, spi: int, source: int, destination: int, use: str) -> Association:
            return Association(from_ue, source, destination, SecurityAssociation(spi, *keys), use)

        return cls(
            one(True, spi_ps, port_uc, port_ps, "requests of the terminal"),
            one(False, spi_uc, port_ps, port_uc, "answers to the terminal over TCP"),
            one(False, spi_us, port_pc, port_us, "requests to the terminal, and over UDP answers too"),
            one(True, spi_pc, port_us, port_pc, "answers of the terminal"),
            mode,
        )

    def to_pcscf(self, spi: int) -> Association | None:
        """Return the association under which the P-CSCF receives ``spi``; None when it announced none."""
        return next((one for one in self if one.from_ue and one.sa.spi == spi), None)

    def to_ue(self, spi: int) -> Association | None:
        """Return the association under which the terminal receives ``spi``; None when it announced none."""
        return next((one for one in self if not one.from_ue and one.sa.spi == spi), None)


def algorithms(mechanism: SecurityMechanism) -> tuple[str, str, str]:
    """Return (alg, ealg, mode) of an ipsec-3gpp mechanism, or raise Malformed.

    alg must be there (RFC 3329, appendix A); aes-gcm goes with alg=null, aes-gmac with ealg=null, and one
    of the two must authenticate: alg=null alone is no protection (TS 33.203, annex H).
    """
    if mechanism.name.lower() != MECHANISM:
        raise Malformed(f"{mechanism.name[:40]} is no {MECHANISM}")
    alg, ealg, mode = mechanism.alg, mechanism.ealg, mechanism.mode
    if alg is None:
        raise Malformed(f"{MECHANISM} without alg")
    if mechanism.prot != "esp" or mode not in _MODES:
        raise Malformed(
            f"prot={mechanism.prot[:20]}, mod={mode[:20]}", expected=f"esp, {' or '.join(_MODES)}"
        )
    if (ealg == "aes-gcm") is not (alg == "null") or (alg == "aes-gmac" and ealg != "null"):
        raise Malformed(f"alg={alg[:40]} does not go with ealg={ealg[:40]}")
    return alg, ealg, mode


def agreed(
    clients: Iterable[SecurityMechanism], servers: Iterable[SecurityMechanism]
) -> tuple[SecurityMechanism, SecurityMechanism] | None:
    """Return the pair that holds: the P-CSCF's mechanism of the highest q that the terminal offered too."""
    offered = [one for one in clients if one.name.lower() == MECHANISM]
    server = choose((one for one in servers if one.name.lower() == MECHANISM), offered)
    client = choose(offered, [server]) if server is not None else None
    return (client, server) if client is not None and server is not None else None


def _inbound(mechanism: SecurityMechanism) -> tuple[int, int, int, int]:
    """Return spi-c, spi-s, port-c, port-s."""
    values = (mechanism.spi_c, mechanism.spi_s, mechanism.port_c, mechanism.port_s)
    spi_c, spi_s, port_c, port_s = values
    if spi_c is None or spi_s is None or port_c is None or port_s is None:
        raise Malformed(f"{MECHANISM} without all of spi-c, spi-s, port-c and port-s")
    if spi_c == spi_s:
        raise Malformed(f"spi-c and spi-s are both {spi_c}: nobody could tell the two associations apart")
    return spi_c, spi_s, port_c, port_s
