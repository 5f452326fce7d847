"""SIP: reading a REGISTER, its typed headers, and its way through a proxy; ours beside sipmessage.

Run: ``python -m benchmarks.sip_parse [SECONDS for each]``. Where sipmessage is not installed, the last line
says how to bring it into an environment of its own. The way through the proxy is that of a registration:
Path, Via and integrity-protected on the way in, a challenge on the way out, ik and ck taken away.
"""

import sys
import time
from collections.abc import Callable

from imslab.sip import Challenge, Message

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
NONCE = "I1U8vpY3qJ0hiuZNrke/NUwEP2pSZIAAm0vX0pnW6KI="
REGISTER = f"""REGISTER sip:{DOMAIN} SIP/2.0
Via: SIP/2.0/UDP 127.0.0.11:5060;branch=z9hG4bKabcdef0123456789;rport
Max-Forwards: 70
From: <sip:alice@{DOMAIN}>;tag=4fa3b2c1
To: <sip:alice@{DOMAIN}>
Call-ID: 3848276298220188511@127.0.0.11
CSeq: 2 REGISTER
Contact: <sip:alice@127.0.0.11:5060>;expires=600000;\
+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"
Authorization: Digest username="001010000000001@{DOMAIN}", realm="{DOMAIN}", \
nonce="{NONCE}", uri="sip:{DOMAIN}", \
response="6629fae49393a05397450978507c4ef1", algorithm=AKAv2-MD5, qop=auth, nc=00000001, cnonce="0a4f113b"
Supported: path, gruu
P-Access-Network-Info: IEEE-802.11
User-Agent: imslab
Expires: 600000
Content-Length: 0

""".replace("\n", "\r\n").encode()
CHALLENGE = Challenge.digest(
    realm=DOMAIN, nonce=NONCE, algorithm="AKAv2-MD5", qop=("auth",), ck="0" * 32, ik="1" * 32
)
HOME = [("WWW-Authenticate", CHALLENGE), ("Server", "imslab")]

INSTALL = """sipmessage is not installed; to compare, from the top of the checkout:
  python3 -m venv scratch && scratch/bin/pip install sipmessage
  PYTHONPATH=. scratch/bin/python -m benchmarks.sip_parse"""


def typed(message: Message) -> tuple[object, ...]:
    """Read what a registrar looks at."""
    m = message
    return m.vias, m.from_, m.to, m.call_id, m.cseq, m.contacts, m.authorization, m.expires, m.max_forwards


def way_in(octets: bytes) -> bytes:
    """Do what the P-CSCF does to a REGISTER."""
    m = Message.parse(octets).seen_from("127.0.0.11", 5060)
    credentials = m.authorization[0].without("ik", "ck").having(integrity_protected="no")
    m = m.with_header("Max-Forwards", (m.max_forwards or 70) - 1).with_header("Authorization", credentials)
    m = m.prepend("Path", "<sip:term@pcscf.example.org;lr>").append("P-Visited-Network-ID", f'"{DOMAIN}"')
    return bytes(m.prepend("Via", "SIP/2.0/UDP 127.0.0.21:5060;branch=z9hG4bK9876543210fedcba"))


def answer(octets: bytes) -> bytes:
    """Do what the S-CSCF does: read the request, build the 401."""
    m = Message.parse(octets)
    typed(m)
    return bytes(Message.reply(m, 401, headers=HOME, to_tag="5ccc069c403ebaf9"))


def way_out(octets: bytes) -> bytes:
    """Do what the P-CSCF does to a 401: drop its Via, take ik and ck away."""
    m = Message.parse(octets).drop_first("Via")
    return bytes(m.with_rows("WWW-Authenticate", [c.without("ik", "ck") for c in m.www_authenticate]))


def works() -> dict[str, Callable[[], object]]:
    """Return what is measured, by name."""
    return {
        "parse": lambda: Message.parse(REGISTER),
        "parse, typed headers": lambda: typed(Message.parse(REGISTER)),
        "REGISTER in, 401 out, through a proxy": lambda: way_out(answer(way_in(REGISTER))),
    }


def peers() -> dict[str, Callable[[], object]]:
    """Return the same for sipmessage; nothing when it is not installed."""
    try:
        import sipmessage
    except ImportError:
        return {}

    def typed_there() -> tuple[object, ...]:
        m = sipmessage.Message.parse(REGISTER)
        people = m.from_address, m.to_address, m.contact
        return m.via, people, m.call_id, m.cseq, m.authorization, m.expires, m.max_forwards

    return {"parse": lambda: sipmessage.Message.parse(REGISTER), "parse, typed headers": typed_there}


def microseconds(works: list[Callable[[], object]], seconds: float) -> list[float]:
    """Return what one call of each of ``works`` takes: the best of many short rounds, taken in turns."""
    best = [float("inf")] * len(works)
    end = time.perf_counter() + seconds * len(works)
    while time.perf_counter() < end:
        for i, work in enumerate(works):
            start = time.perf_counter()
            for _ in range(20):
                work()
            best[i] = min(best[i], (time.perf_counter() - start) / 20 * 1e6)
    return best


def main(seconds: float = 1.0) -> None:
    ours, theirs = works(), peers()
    times = microseconds([*ours.values(), *theirs.values()], seconds)
    print(f"one REGISTER of {len(REGISTER)} octets")
    for name, took in zip(ours, times, strict=False):
        print(f"{name:40} {took:8.1f} us {1e6 / took:10,.0f}/s")
    for name, took in zip(theirs, times[len(ours) :], strict=True):
        ratio = took / times[list(ours).index(name)]
        print(f"{name + ', sipmessage':40} {took:8.1f} us {1e6 / took:10,.0f}/s   {ratio:.1f} times ours")
    if not theirs:
        print(INSTALL)


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:2]))
