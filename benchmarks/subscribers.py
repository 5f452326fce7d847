"""Memory for 100,000 registered subscribers: HSS, S-CSCF and P-CSCF, as they are in ``imslab core``.

The nodes run in this process without sockets. Every registration is whole: two REGISTERs through the P-CSCF
to the S-CSCF, a vector, a right answer, 200. The terminals are no more than the messages that they send, so
that what is measured is the core's. Each subscriber has keys of its own. The resident memory of the process
is read before and after each part, and once more when what serves only to repeat an answer has had its time.

    python benchmarks/subscribers.py [--subscribers 100000]
"""

import argparse
import gc
import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from imslab.aka import digest
from imslab.ims import Address, Hss, Node, Pcscf, Scscf
from imslab.ims.scscf import Policy
from imslab.sip import Message
from imslab.uicc import Profile

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
PCSCF, SCSCF = Address("127.0.0.21", 5060), Address("127.0.0.31", 5060)
REGISTER = (
    "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5060;branch=z9hG4bK-{name}-{cseq}\r\n"
    "Max-Forwards: 70\r\nFrom: <{impu}>;tag=t{name}\r\nTo: <{impu}>\r\nCall-ID: c{name}@{host}\r\n"
    "CSeq: {cseq} REGISTER\r\nContact: <sip:{name}@{host}:5060>\r\nExpires: 600000\r\n"
    "Authorization: {authorization}\r\nContent-Length: 0\r\n\r\n"
)


def megabytes() -> float:
    """Return the resident memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def profile(number: int) -> Profile:
    """Return one subscriber, with keys of its own."""
    keys = hashlib.sha256(b"%d" % number).digest()
    return Profile(imsi=f"00101{number:010}", k=keys[:16], opc=keys[16:], name=f"user{number}")


class Core:
    """P-CSCF and S-CSCF, driven by hand."""

    def __init__(self, hss: Hss) -> None:
        policy = Policy(algorithms=("AKAv1-MD5",))
        self.scscf = Scscf(SCSCF, DOMAIN, hss.ask, random=os.urandom, policy=policy)
        self.pcscf = Pcscf(PCSCF, SCSCF, DOMAIN, random=os.urandom)
        self._nodes: dict[Address, Node] = {PCSCF: self.pcscf, SCSCF: self.scscf}
        self.now = 1000.0

    def say(self, octets: bytes, source: Address) -> Message:
        """Let a terminal say something, and return what it is answered."""
        self.pcscf.receive(octets, source, self.now)
        waiting: list[Node] = [self.pcscf]
        while waiting:
            for send in (node := waiting.pop()).outgoing():
                target = self._nodes.get(send.destination)
                if target is None:
                    reply = send.octets
                else:
                    target.receive(send.message or send.octets, send.source, self.now)
                    waiting.append(target)
            node.events()
        return Message.parse(reply)


def register(core: Core, number: int) -> None:
    """Register one subscriber."""
    one, host = profile(number), f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
    common: dict[str, Any] = {"username": one.impi, "realm": DOMAIN, "uri": f"sip:{DOMAIN}"}
    rows = {"domain": DOMAIN, "host": host, "impu": one.impu[0], "name": one.name}
    said = ", ".join(f'{name}="{value}"' for name, value in {**common, "nonce": "", "response": ""}.items())
    first = REGISTER.format(**rows, cseq=1, authorization=f"Digest {said}")
    challenge = core.say(first.encode(), Address(host, 5060)).www_authenticate[0]
    rand, _, _ = digest.parse_nonce(challenge.nonce)
    answer = digest.response(
        "AKAv1-MD5",
        method="REGISTER",
        **common,
        nonce=challenge.nonce,
        qop="auth",
        nc="00000001",
        cnonce="c",
        res=one.functions.f2(rand),
    )
    said = ", ".join(f'{name}="{value}"' for name, value in {**common, "response": answer}.items())
    given = (
        f'Digest {said}, nonce="{challenge.nonce}", algorithm=AKAv1-MD5, qop=auth, nc=00000001, cnonce="c"'
    )
    second = REGISTER.format(**rows, cseq=2, authorization=given)
    if (status := core.say(second.encode(), Address(host, 5060)).status) != 200:
        raise SystemExit(f"subscriber {number} was not registered: {status}")


def main() -> int:
    """Provision, register, and print what each part takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--subscribers", type=int, default=100_000)
    count = parser.parse_args().subscribers
    empty, hss = megabytes(), Hss(random=os.urandom)
    for number in range(count + 1):
        hss.add(profile(number))
    provisioned, core, begin = megabytes(), Core(hss), time.perf_counter()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)  # as ``imslab core`` does
    for number in range(count):
        register(core, number)
        core.now += 0.002
    seconds, busy = time.perf_counter() - begin, megabytes()
    core.now += 60
    for node in (core.pcscf, core.scscf):
        node.handle_timer(core.now)
    register(core, count)  # whoever comes next lets go what has had its time
    rest = megabytes()
    registered = len(core.scscf.registrar._registrations)
    print(f"subscribers: {count}, registered: {registered}, associations: {len(core.pcscf.associations)}")
    print(f"process before             {empty:8.1f} MB")
    for name, value in (("HSS", provisioned - empty), ("S-CSCF and P-CSCF, busy", busy - provisioned)):
        print(f"{name:26} {value:8.1f} MB   {1e3 * value / count:6.2f} kB a subscriber")
    print(f"{'S-CSCF and P-CSCF, at rest':26} {rest - provisioned:8.1f} MB")
    print(f"all                        {rest:8.1f} MB   {1e3 * (rest - empty) / count:6.2f} kB a subscriber")
    print(f"{count / seconds:.0f} registrations/s in one thread, the terminals' side included")
    return 0


if __name__ == "__main__":
    sys.exit(main())
