"""A login made by hand, as our tap writes it: card, UE, P-CSCF, S-CSCF, HSS; keys of TS 35.208, set 1."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from imslab.aka import Milenage, generate_auts, generate_vector
from imslab.aka.digest import auts_text, nonce_for, response
from imslab.ims.cx import (
    Assignment,
    MultimediaAuthAnswer,
    MultimediaAuthRequest,
    Result,
    ServerAssignmentAnswer,
    ServerAssignmentRequest,
)
from imslab.net.cx import encode
from imslab.net.trace import TraceWriter
from imslab.uicc import apdu, gsmtap

UE, CARD, PCSCF, SCSCF, HSS = "127.0.0.2", "127.0.0.3", "127.0.0.10", "127.0.0.11", "127.0.0.12"
NAMES = {UE: "alice", CARD: "alice's card", PCSCF: "P-CSCF", SCSCF: "S-CSCF", HSS: "HSS"}
HOME = "ims.mnc001.mcc001.3gppnetwork.org"
IMPI, IMPU = f"001010000000001@{HOME}", f"sip:alice@{HOME}"
K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
SQN = bytes.fromhex("ff9bb4d0b607")
START = 1_700_000_000.0

# The field captures lie beside the checkout, or where IMSLAB_FIELD says. Without them their test is
# not collected, and the report says so.
FIELD = Path(os.environ.get("IMSLAB_FIELD") or Path(__file__).resolve().parents[3] / "shared" / "field")
collect_ignore_glob = [] if (FIELD / "expect").is_dir() else ["test_field*.py"]


def pytest_report_collectionfinish() -> str:
    """Say whether the field captures were there."""
    if collect_ignore_glob:
        return f"field captures: not in {FIELD}, so test_field*.py were not collected (IMSLAB_FIELD)"
    return f"field captures: {FIELD}"


Wire = Callable[[float, tuple[str, int], tuple[str, int], bytes], None]


@dataclass
class Login:
    """Writes the steps of a login; each takes a millisecond."""

    file: io.BytesIO = field(default_factory=io.BytesIO)
    now: float = START
    call_id: str = "one@127.0.0.2"
    algorithm: str = "AKAv2-MD5"

    def __post_init__(self) -> None:
        self.trace = TraceWriter(self.file, comment="a login made by a test")
        for address, name in NAMES.items():
            self.trace.name(address, name)
        self.m = Milenage(bytes.fromhex(K), bytes.fromhex(OPC))
        self.vector = generate_vector(self.m, RAND, SQN)
        self.nonce = nonce_for(self.vector.rand, self.vector.autn)
        self.wire: Wire = self.trace.udp
        self.asked = 0

    def tick(self) -> float:
        self.now += 0.001
        return self.now

    def head(self, start: str, cseq: int, *rows: str) -> bytes:
        lines = [
            start,
            f"Via: SIP/2.0/UDP {UE}:5060;branch=z9hG4bK{cseq}",
            f"From: <{IMPU}>;tag=a",
            f"To: <{IMPU}>",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} REGISTER",
            *rows,
            "Content-Length: 0",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def hop(self, octets: bytes, *hosts: str) -> None:
        """Send the same message along these hosts."""
        for one, other in pairwise(hosts):
            self.wire(self.tick(), (one, 5060), (other, 5060), octets)

    def register(self, cseq: int, authorization: str, contact: str = f"<sip:{UE}>;expires=600000") -> None:
        rows = f"Contact: {contact}", f"Authorization: Digest {authorization}"
        self.hop(self.head(f"REGISTER sip:{HOME} SIP/2.0", cseq, *rows), UE, PCSCF, SCSCF)

    def challenge(self, cseq: int) -> None:
        offer = f'Digest realm="{HOME}", nonce="{self.nonce}", algorithm={self.algorithm}, qop="auth"'
        keys = f', ck="{self.vector.ck.hex()}", ik="{self.vector.ik.hex()}"'
        for extra, hosts in ((keys, (SCSCF, PCSCF)), ("", (PCSCF, UE))):
            self.hop(self.head("SIP/2.0 401 Unauthorized", cseq, f"WWW-Authenticate: {offer}{extra}"), *hosts)

    def final(self, cseq: int, status: str = "200 OK") -> None:
        self.hop(
            self.head(f"SIP/2.0 {status}", cseq, f"Contact: <sip:{UE}>;expires=600000"), SCSCF, PCSCF, UE
        )

    def answer(self, *, auts: bytes = b"", wrong: bool = False) -> str:
        values = {"username": IMPI, "realm": HOME, "nonce": self.nonce, "uri": f"sip:{HOME}"}
        v = self.vector
        digest = response(
            self.algorithm,
            method="REGISTER",
            username=IMPI,
            realm=HOME,
            nonce=self.nonce,
            uri=f"sip:{HOME}",
            res=v.xres,
            ck=v.ck,
            ik=v.ik,
            password="" if auts else None,
            qop="auth",
            nc=1,
            cnonce="c",
        )
        digest = digest[::-1] if wrong else digest
        quoted = ", ".join(f'{name}="{value}"' for name, value in values.items())
        more = f', auts="{auts_text(auts)}"' if auts else ""
        counted = 'qop=auth, nc=00000001, cnonce="c"'
        return f'{quoted}, response="{digest}", algorithm={self.algorithm}, {counted}{more}'

    def first(self) -> str:
        return f'username="{IMPI}", realm="{HOME}", nonce="", uri="sip:{HOME}", response=""'

    def card(self, auts: bytes = b"") -> None:
        command = apdu.authenticate(self.vector.rand, self.vector.autn)
        v = self.vector
        parts = b"".join(bytes([len(part)]) + part for part in (v.xres, v.ck, v.ik))
        answer = (b"\xdc\x0e" + auts if auts else b"\xdb" + parts) + b"\x90\x00"
        self.now += 0.01
        self.trace.apdu(self.now - 0.01, 0.01, UE, CARD, gsmtap.encode_exchange(command, answer))

    def ask(self, request: object, answer: object) -> None:
        client, server = (SCSCF, 40_000), (HSS, 3868)
        if not self.asked:
            self.trace.tcp_open(self.tick(), client, server)
        self.asked += 1
        question, reply = encode(request, answer, self.asked)  # type: ignore[arg-type]
        self.trace.tcp(self.tick(), client, server, question)
        self.trace.tcp(self.tick(), server, client, reply)

    def vector_from_hss(self, authorization: bytes = b"") -> None:
        request = MultimediaAuthRequest(IMPU, IMPI, f"sip:scscf.{HOME}", authorization)
        self.ask(request, MultimediaAuthAnswer(Result.SUCCESS, self.vector))

    def assigned(self) -> None:
        request = ServerAssignmentRequest(IMPU, IMPI, f"sip:scscf.{HOME}", Assignment.REGISTRATION)
        self.ask(request, ServerAssignmentAnswer(Result.SUCCESS, (IMPU,)))

    def whole(self) -> "Login":
        """Write a login from the first REGISTER to 200."""
        self.register(1, self.first())
        self.vector_from_hss()
        self.challenge(1)
        self.card()
        self.register(2, self.answer())
        self.assigned()
        self.final(2)
        return self

    def resynchronised(self) -> "Login":
        """Write a login in which the card finds the SQN stale, and the network catches up."""
        self.register(1, self.first())
        self.vector_from_hss()
        self.challenge(1)
        auts = generate_auts(self.m, RAND, bytes.fromhex("ff9bb4d0b700"))
        self.card(auts)
        self.register(2, self.answer(auts=auts))
        self.vector = generate_vector(self.m, bytes(range(16)), bytes.fromhex("ff9bb4d0b720"))
        self.nonce = nonce_for(self.vector.rand, self.vector.autn)
        self.vector_from_hss(RAND + auts)
        self.challenge(2)
        self.card()
        self.register(3, self.answer())
        self.assigned()
        self.final(3)
        return self

    @property
    def octets(self) -> bytes:
        return self.file.getvalue()


@pytest.fixture
def login() -> Login:
    return Login()


@pytest.fixture(scope="session")
def new_login() -> type[Login]:
    return Login


@pytest.fixture
def keys() -> dict[str, str]:
    return {"k": K, "opc": OPC}


@pytest.fixture
def field_captures() -> Path:
    return FIELD
