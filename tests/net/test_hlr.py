"""What hostapd asks and our HSS answers; the whole of EAP-AKA is in tests/pcsc/test_eap_aka.py."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from imslab.aka import generate_auts
from imslab.errors import NetworkError
from imslab.ims.hss import Hss
from imslab.net.hlr import Hlr, HlrSocket
from imslab.uicc import Card, IsimClient, Profile

RAND = bytes(range(16))


@pytest.fixture
def profile() -> Profile:
    return Profile(imsi="001010000000001", k=bytes(16), opc=bytes(range(16)))


@pytest.fixture
def hlr(profile: Profile) -> Hlr:
    hss = Hss(random=lambda octets: RAND)
    hss.add(profile)
    return Hlr(hss, {profile.imsi: profile.impi, "001010000000002": "nobody"})


def asked(hlr: Hlr, text: str) -> list[str]:
    answer = hlr.answer(text.encode(), 0.0)
    assert answer is not None
    return answer.decode().split()


def test_a_vector_that_the_card_accepts(hlr: Hlr, profile: Profile) -> None:
    name, imsi, rand, autn, ik, ck, res = asked(hlr, f"AKA-REQ-AUTH {profile.imsi}")
    assert (name, imsi, rand) == ("AKA-RESP-AUTH", profile.imsi, RAND.hex())
    answer = IsimClient(Card(profile)).authenticate(bytes.fromhex(rand), bytes.fromhex(autn))
    assert (answer.res.hex(), answer.ck.hex(), answer.ik.hex()) == (res, ck, ik)


def test_resynchronisation(hlr: Hlr, profile: Profile) -> None:
    auts = generate_auts(profile.functions, RAND, (5000 << 5).to_bytes(6))
    assert hlr.answer(f"AKA-AUTS {profile.imsi} {auts.hex()} {RAND.hex()}".encode(), 0.0) is None
    assert hlr.resynchronised == 1
    autn = asked(hlr, f"AKA-REQ-AUTH {profile.imsi}")[3]
    card = Card(replace(profile, sqn=(5000 << 5).to_bytes(6)))
    assert IsimClient(card).authenticate(RAND, bytes.fromhex(autn)).res


@pytest.mark.parametrize(
    "text",
    ["AKA-AUTS 001010000000001 00 00", "AKA-AUTS 001010000000001 zz 00", f"AKA-AUTS 7 {'0' * 28} {'0' * 32}"],
)
def test_a_forged_auts_changes_nothing(hlr: Hlr, text: str) -> None:
    assert hlr.answer(text.encode(), 0.0) is None
    assert hlr.answer(f"AKA-AUTS 001010000000001 {'00' * 14} {'00' * 16}".encode(), 0.0) is None
    assert hlr.resynchronised == 0


def test_strangers_fail_and_nonsense_gets_no_answer(hlr: Hlr) -> None:
    for imsi in ("001010000000009", "001010000000002"):
        assert asked(hlr, f"AKA-REQ-AUTH {imsi}") == ["AKA-RESP-AUTH", imsi, "FAILURE"]
    for nonsense in (b"", b"\xff\x00", b"AKA-REQ-AUTH", b"SIM-REQ-AUTH 1 3", b"AKA-REQ-AUTH 1 2"):
        assert hlr.answer(nonsense, 0.0) is None


def test_over_the_socket(hlr: Hlr, profile: Profile, tmp_path: Path) -> None:
    served = HlrSocket(hlr, tmp_path / "hlr", clock=lambda: 0.0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.bind(str(tmp_path / "client"))
        client.sendto(f"AKA-REQ-AUTH {profile.imsi}".encode(), str(tmp_path / "hlr"))
        client.sendto(b"nonsense", str(tmp_path / "hlr"))
        assert served.serve(0.1) == 1
        assert client.recv(1000).startswith(b"AKA-RESP-AUTH 001010000000001 00010203")
    served.close()
    assert not (tmp_path / "hlr").exists()


def test_a_socket_that_cannot_be_opened(hlr: Hlr) -> None:
    with pytest.raises(NetworkError, match="not usable as a Unix socket"):
        HlrSocket(hlr, "/nowhere/hlr")
