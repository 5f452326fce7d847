"""A registration whose second half is protected (TS 33.203, clause 7). Keys of TS 35.208, set 1."""

import io
from dataclasses import dataclass, field
from typing import Any

from imslab.aka import Milenage, generate_vector
from imslab.aka.digest import nonce_for, response, session_keys
from imslab.ims.cx import MultimediaAuthAnswer, MultimediaAuthRequest, Result
from imslab.ipsec import UDP, Association, Associations, Outbound
from imslab.net.cx import encode
from imslab.net.packet import Flags, tcp_packet, udp_packet
from imslab.net.trace import TraceWriter
from imslab.sip import SecurityMechanism
from imslab.uicc import apdu, gsmtap

UE, CARD, PCSCF, SCSCF, HSS = "10.0.0.2", "10.0.0.3", "10.0.0.10", "10.0.0.11", "10.0.0.12"
HOME = "ims.mnc001.mcc001.3gppnetwork.org"
IMPI, IMPU = f"001010000000001@{HOME}", f"sip:alice@{HOME}"
K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"
KEYS = {"k": K, "opc": OPC}
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
SQN = bytes.fromhex("ff9bb4d0b607")
START = 1_700_000_000.0
PAIRS = [
    ("hmac-md5-96", "null"), ("hmac-sha-1-96", "null"), ("hmac-sha-1-96", "aes-cbc"),
    ("hmac-md5-96", "des-ede3-cbc"), ("null", "aes-gcm"), ("aes-gmac", "null"),
]  # fmt: skip


@dataclass
class Gm:
    """Writes what passes between a terminal and its P-CSCF; each packet takes a millisecond.

    ``over``  how the protected half travels: "esp", "udp" (RFC 3948), "gtp" (in GTP-U)
    """

    alg: str = "hmac-sha-1-96"
    ealg: str = "aes-cbc"
    algorithm: str = "AKAv1-MD5"
    over: str = "esp"
    transport: int = UDP
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file, self.now = io.BytesIO(), START
        self.trace = TraceWriter(self.file)
        m = Milenage(bytes.fromhex(K), bytes.fromhex(OPC))
        self.vector = generate_vector(m, RAND, SQN)
        self.nonce = nonce_for(self.vector.rand, self.vector.autn)
        values: dict[str, Any] = {"alg": self.alg, "ealg": self.ealg, **self.more}
        self.client = SecurityMechanism.ipsec_3gpp(spi_c=1001, spi_s=1002, port_c=5062, port_s=5064, **values)
        self.server = SecurityMechanism.ipsec_3gpp(
            spi_c=2001, spi_s=2002, port_c=5104, port_s=6104, q="0.5", **values
        )
        ck, ik = self.vector.ck, self.vector.ik
        if self.algorithm == "AKAv2-MD5":
            ck, ik = session_keys(self.algorithm, ck, ik)
        self.associations = Associations.agree(self.client, self.server, ck, ik)
        self._senders: dict[int, Outbound] = {}

    @property
    def octets(self) -> bytes:
        return self.file.getvalue()

    def tick(self) -> float:
        self.now += 0.001
        return self.now

    def message(self, start: str, cseq: int, *rows: str, method: str = "REGISTER") -> bytes:
        lines = [
            start,
            f"Via: SIP/2.0/UDP {UE}:5064;branch=z9hG4bK{cseq}",
            f"From: <{IMPU}>;tag=a",
            f"To: <{IMPU}>",
            "Call-ID: gm@10.0.0.2",
            f"CSeq: {cseq} {method}",
            *rows,
            "Content-Length: 0",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def clear(self, source: str, destination: str, octets: bytes) -> None:
        self.trace.udp(self.tick(), (source, 5060), (destination, 5060), octets)

    def protected(self, one: Association, octets: bytes, seq: int = 1) -> None:
        """Send a message under an association."""
        here, there = (UE, PCSCF) if one.from_ue else (PCSCF, UE)
        ends = (here, one.source_port), (there, one.destination_port)
        if self.transport == UDP:
            packet = udp_packet(*ends, octets)
        else:
            packet = tcp_packet(*ends, octets, seq=seq, ack=1, flags=Flags.ACK | Flags.PSH)
        sender = self._senders.setdefault(one.sa.spi, Outbound(one.sa, lambda octets: bytes(range(octets))))
        self.send(here, there, sender.seal(self.transport, packet[20:]))

    def send(self, here: str, there: str, sealed: bytes) -> None:
        at = self.tick()
        if self.over == "udp":
            self.trace.udp(at, (here, 4500), (there, 4500), sealed)
        elif self.over == "gtp":
            inner = esp_in_ip(here, there, sealed)
            head = bytes.fromhex("30ff") + len(inner).to_bytes(2) + bytes.fromhex("00000008")
            self.trace.udp(at, ("192.168.0.1", 2152), ("192.168.0.2", 2152), head + inner)
        else:
            self.trace.esp(at, here, there, sealed)

    def answer(self) -> str:
        v, uri = self.vector, f"sip:{HOME}"
        digest = response(
            self.algorithm, method="REGISTER", username=IMPI, realm=HOME, nonce=self.nonce, uri=uri,
            res=v.xres, ck=v.ck, ik=v.ik, qop="auth", nc=1, cnonce="c",
        )  # fmt: skip
        return (
            f'Authorization: Digest username="{IMPI}", realm="{HOME}", nonce="{self.nonce}", uri="{uri}", '
            f'response="{digest}", algorithm={self.algorithm}, qop=auth, nc=00000001, cnonce="c"'
        )

    # -- steps -------------------------------------------------------------------------------------

    def register(self) -> "Gm":
        names = f'username="{IMPI}", realm="{HOME}", uri="sip:{HOME}"'
        first = f'Authorization: Digest {names}, nonce="", response=""'
        rows = first, f"Security-Client: {self.client}", "Require: sec-agree", f"Contact: <sip:{UE}:5064>"
        self.clear(UE, PCSCF, self.message(f"REGISTER sip:{HOME} SIP/2.0", 1, *rows))
        return self

    def challenge(self, *more: str, keys: bool = False) -> "Gm":
        told = f', ck="{self.vector.ck.hex()}", ik="{self.vector.ik.hex()}"' if keys else ""
        asked = f'realm="{HOME}", nonce="{self.nonce}", algorithm={self.algorithm}, qop="auth"'
        rows = [f"WWW-Authenticate: Digest {asked}{told}", *(more or (f"Security-Server: {self.server}",))]
        self.clear(PCSCF, UE, self.message("SIP/2.0 401 Unauthorized", 1, *rows))
        return self

    def second(self, *more: str) -> "Gm":
        rows = [self.answer(), f"Contact: <sip:{UE}:5064>", f"Security-Client: {self.client}"]
        rows += more or (f"Security-Verify: {self.server}",)
        self.protected(self.associations.request, self.message(f"REGISTER sip:{HOME} SIP/2.0", 2, *rows))
        return self

    def final(self) -> "Gm":
        a = self.associations
        one = a.network_request if self.transport == UDP else a.answer
        self.protected(one, self.message("SIP/2.0 200 OK", 2, f"Contact: <sip:{UE}:5064>;expires=600000"))
        return self

    def cx(self) -> "Gm":
        question, reply = encode(
            MultimediaAuthRequest(IMPU, IMPI, f"sip:scscf.{HOME}"),
            MultimediaAuthAnswer(Result.SUCCESS, self.vector),
            1,
        )
        self.trace.tcp(self.tick(), (SCSCF, 40_000), (HSS, 3868), question)
        self.trace.tcp(self.tick(), (HSS, 3868), (SCSCF, 40_000), reply)
        return self

    def card(self) -> "Gm":
        v = self.vector
        parts = b"".join(bytes([len(part)]) + part for part in (v.xres, v.ck, v.ik))
        exchange = gsmtap.encode_exchange(apdu.authenticate(v.rand, v.autn), b"\xdb" + parts + b"\x90\x00")
        self.trace.apdu(self.tick(), 0.01, UE, CARD, exchange)
        return self

    def whole(self) -> "Gm":
        return self.register().challenge().second().final()


def esp_in_ip(source: str, destination: str, sealed: bytes) -> bytes:
    from imslab.net.packet import esp_packet

    return esp_packet(source, destination, sealed)
