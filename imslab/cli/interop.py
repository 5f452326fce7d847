"""``imslab interop``: what other people's programs need of a profile, and which of them can take it."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imslab.errors import ImslabError, Malformed
from imslab.octets import unhex

if TYPE_CHECKING:
    from imslab.interop import Agreement, Verdict
    from imslab.sip.sec_agree import SecurityMechanism

_NAME, _WIDTH = 11, 100  # letters of the first columns, and of a line


def interop(
    profile: Annotated[Path, typer.Argument(help="A subscriber's profile (JSON, YAML).")],
    peer: Annotated[
        list[str] | None,
        typer.Option(help="Only this peer: sipp, pjsua, kamailio, pyhss, pysim, wireshark; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a folder for each peer; else only the table.")
    ] = None,
    p_cscf: Annotated[str, typer.Option("--p-cscf", help="Address of the P-CSCF.")] = "127.0.0.21",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the P-CSCF.")] = 5060,
    ue: Annotated[str, typer.Option("--ue", help="Address of the peer as a terminal.")] = "127.0.0.71",
    amf: Annotated[str, typer.Option(help="AMF of the network's AUTN, 4 hex digits.")] = "0000",
    algorithm: Annotated[str, typer.Option(help="The digest that the network shall ask for.")] = "AKAv1-MD5",
    callee: Annotated[str, typer.Option(help="Whom a peer calls; default: bob of the same domain.")] = "",
    rand: Annotated[
        str | None, typer.Option(help="RAND of a challenge, 32 hex digits: for Wireshark's esp_sa.")
    ] = None,
    security_client: Annotated[str | None, typer.Option(help="... and its Security-Client.")] = None,
    security_server: Annotated[str | None, typer.Option(help="... and its Security-Server.")] = None,
) -> int:
    """Write what other people's programs need of a profile, and say which of them can take it."""
    from imslab.interop import Target, chosen, judge, write
    from imslab.uicc import Profile

    subscriber, peers = Profile.load(profile), chosen(peer or ())
    target = Target(
        pcscf=p_cscf,
        port=port,
        local=ue,
        amf=unhex("amf", amf),
        algorithm=algorithm,
        callee=callee,
        agreement=_agreement(rand, security_client, security_server, ue),
    )
    verdicts = judge(subscriber, target, peers)
    refused = [verdict for verdict in verdicts if peer and not verdict.takes]
    if refused and out is not None:
        raise ImslabError(f"{refused[0].peer.name} cannot take {subscriber.name}: {refused[0].reasons[0]}")
    print(table(verdicts))
    if out is not None:
        written = write(subscriber, out, target, peers)
        print(
            f"\n{len(written)} files in {out}, with keys in them; {out / 'README.txt'} says how to use them."
        )
    return 0


def table(verdicts: "Sequence[Verdict]") -> str:
    """Return a table: peer, yes or no, and why not, or what must be known."""
    lines = []
    for verdict in verdicts:
        head = f"{verdict.peer.name:<{_NAME}}{'yes' if verdict.takes else 'no':<5}"
        for number, why in enumerate(verdict.reasons or [""]):
            first = head if number == 0 else " " * len(head)
            lines += textwrap.wrap(
                why,
                _WIDTH,
                initial_indent=first,
                subsequent_indent=" " * len(head),
                break_long_words=False,
                break_on_hyphens=False,
            ) or [head.rstrip()]
    return "\n".join([f"{'peer':<{_NAME}}{'takes it: why not, or what to know'}", *lines])


def _agreement(rand: str | None, client: str | None, server: str | None, ue: str) -> "Agreement | None":
    from imslab.interop import Agreement

    if rand is None and client is None and server is None:
        return None
    if rand is None or client is None or server is None:
        raise Malformed(
            "a part of the challenge is missing", expected="--rand, --security-client, --security-server"
        )
    return Agreement(unhex("rand", rand), _mechanism("client", client), _mechanism("server", server), ue)


def _mechanism(which: str, text: str) -> "SecurityMechanism":
    from imslab.sip.sec_agree import SecurityMechanism

    try:
        return SecurityMechanism.parse(text)
    except Malformed as error:
        raise Malformed(f"--security-{which}: {error}") from None
