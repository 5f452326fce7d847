"""Every published packet, made and opened octet for octet; and what happens when one bit of it turns."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.data import vectors
from imslab.errors import Malformed, OtaError
from imslab.uicc.ota import crypto
from imslab.uicc.ota.coding import CIPHERS, MACS, Check, Counting, Spi, Status
from imslab.uicc.ota.keys import KeySet
from imslab.uicc.ota.packet import CommandPacket, read_header, seal, unseal
from imslab.uicc.ota.response import ResponsePacket, seal_response, unseal_response

OTA = vectors("ota")
ALL: list[dict[str, Any]] = OTA["vectors"]


def of(kind: str) -> pytest.MarkDecorator:
    found = [pytest.param(one, id=one["id"]) for one in ALL if one["kind"] == kind]
    assert found
    return pytest.mark.parametrize("vector", found)


def named(table: dict[str, tuple[int, tuple[int, ...]]], octet: int, key: bytes) -> str:
    """Return the algorithm that the octet names, or, where it is implicit, the one that fits the key."""
    fitting = [name for name, (_, lengths) in table.items() if len(key) in lengths]
    exact = [name for name in fitting if table[name][0] == octet & 0x0F]
    if exact:
        return exact[0]
    return "3DES-ECB" if "3DES-ECB" in fitting else next(iter(fitting), "")


def key_set(vector: dict[str, Any]) -> KeySet:
    kic, kid = int(vector["kic"], 16), int(vector["kid"], 16)
    kic_key, kid_key = bytes.fromhex(vector["kic_key"]), bytes.fromhex(vector["kid_key"])
    cipher, mac = named(CIPHERS, kic, kic_key), named(MACS, kid, kid_key)
    return KeySet(kid >> 4, cipher, kic_key, mac, kid_key, vector.get("mac_len", 8))


def command_of(vector: dict[str, Any]) -> CommandPacket:
    spi = vector.get("spi") or "00" + vector["spi2"]
    return CommandPacket(
        Spi.parse(bytes.fromhex(spi)),
        int(vector["kic"], 16),
        int(vector["kid"], 16),
        bytes.fromhex(vector.get("tar", "b00011")),
        int(vector.get("cntr", "00"), 16),
        bytes.fromhex(vector.get("secured_data", "")),
    )


def test_the_file_is_whole() -> None:
    kinds = [one["kind"] for one in ALL]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {
        "rc": 2,
        "command_packet_sms_pp": 32,
        "response_packet_sms_pp": 9,
        "response_packet_negative": 1,
        "sms_deliver_tpdu": 1,
    }
    assert not {one["name"] for one in OTA["excluded"]} & {one["id"].removeprefix("gsm0348-") for one in ALL}


@of("rc")
def test_redundancy_check(vector: dict[str, Any]) -> None:
    assert crypto.checksum(vector["alg"].upper(), bytes.fromhex(vector["input"])).hex() == vector["output"]


@of("command_packet_sms_pp")
def test_command_packet(vector: dict[str, Any]) -> None:
    # Peer defect: pySim leaves CPL out when nothing is ciphered; ours is there, as in all of these.
    keys, command = key_set(vector), command_of(vector)
    packet = bytes.fromhex(vector["command_packet"])
    assert seal(command, keys).hex() == vector["command_packet"]
    assert unseal(packet, keys) == command
    header = read_header(packet)
    assert (header.spi, header.tar) == (command.spi, command.tar)


@of("response_packet_sms_pp")
def test_response_packet(vector: dict[str, Any]) -> None:
    keys, command = key_set(vector), command_of(vector)
    packet = bytes.fromhex(vector["response_packet"])
    expected = ResponsePacket(
        command.tar, command.counter, Status(vector["status"]), bytes.fromhex(vector["response_data"])
    )
    assert unseal_response(packet, command, keys) == expected
    assert seal_response(expected, command, keys).hex() == vector["response_packet"]
    assert "tp_ud" not in vector or vector["tp_ud"] == "027100" + vector["response_packet"]


@of("response_packet_negative")
def test_forged_response_packet(vector: dict[str, Any]) -> None:
    command = command_of(vector)
    with pytest.raises(OtaError, match="check of the response"):
        unseal_response(bytes.fromhex(vector["response_packet"]), command, key_set(vector))


CHECKED = [one for one in ALL if one["kind"] == "command_packet_sms_pp" and int(one["spi"], 16) >> 8 & 3]


@pytest.mark.parametrize("vector", [pytest.param(one, id=one["id"]) for one in CHECKED])
def test_any_bit_that_turns_is_seen(vector: dict[str, Any]) -> None:
    keys, packet = key_set(vector), bytes.fromhex(vector["command_packet"])
    for bit in range(8 * len(packet)):
        turned = bytearray(packet)
        turned[bit // 8] ^= 0x80 >> bit % 8
        try:
            opened = unseal(bytes(turned), keys)
        except (OtaError, Malformed):
            continue
        # Only SPI can say "nothing is checked", and KID name another checksum; a card's minimum level is
        # there for that.
        assert bit // 8 in (3, 6) and opened.spi.check is not Check.CC


AES = KeySet(2, "AES-CBC", bytes(range(16)), "AES-CMAC", bytes(range(16, 32)))
TRIPLE = KeySet(3, "3DES-CBC-2", bytes(range(16)), "3DES-CBC-MAC-2", bytes(range(16, 32)))
SPIS = st.builds(
    Spi,
    st.sampled_from([Check.NONE, Check.CC]),
    st.booleans(),
    st.sampled_from(list(Counting)),
    proof_check=st.sampled_from([Check.NONE, Check.CC]),
    proof_ciphered=st.booleans(),
)


@given(SPIS, st.sampled_from([AES, TRIPLE]), st.integers(0, 2**40 - 1), st.binary(max_size=200))
def test_round_trip(spi: Spi, keys: KeySet, counter: int, data: bytes) -> None:
    command = CommandPacket(spi, keys.kic_octet, keys.kid_octet, b"\xb0\x00\x11", counter, data)
    assert unseal(seal(command, keys), keys) == command
    answer = ResponsePacket(command.tar, counter, Status.OK, data)
    assert unseal_response(seal_response(answer, command, keys), command, keys) == answer


@given(st.binary(max_size=80), st.sampled_from([AES, TRIPLE, None]))
def test_any_octets_are_a_packet_or_an_error_of_ours(octets: bytes, keys: KeySet | None) -> None:
    long = len(octets).to_bytes(2) + octets  # with a right CPL it gets farther
    command = CommandPacket(Spi(), 0x22, 0x22, b"\xb0\x00\x11", 1, b"")
    for packet in (octets, long):
        with suppress(OtaError, Malformed):
            assert isinstance(unseal(packet, keys), CommandPacket)
        with suppress(OtaError, Malformed):
            assert isinstance(unseal_response(packet, command, keys), ResponsePacket)


def test_error_without_protection_is_not_verified() -> None:
    command = CommandPacket(Spi(), 0x22, 0x22, b"\xb0\x00\x11", 7, b"")
    bare = ResponsePacket(command.tar, 7, Status.CHECK_FAILED, verified=False)
    packet = seal_response(bare, command, AES)
    assert packet.hex() == "000b0ab0001100000000070001"
    assert unseal_response(packet, command, AES) == bare
    with pytest.raises((OtaError, Malformed)):  # "all is well" needs a proof
        unseal_response(packet[:-1] + b"\0", command, AES)


def test_response_to_another_command() -> None:
    first = CommandPacket(Spi(), 0x22, 0x22, b"\xb0\x00\x11", 7, b"")
    packet = seal_response(ResponsePacket(first.tar, 7, Status.OK), first, AES)
    second = CommandPacket(Spi(), 0x22, 0x22, b"\xb0\x00\x11", 8, b"")
    with pytest.raises(OtaError, match="another command"):
        unseal_response(packet, second, AES)


def test_spi_parts_are_where_the_specification_has_them() -> None:
    coding = OTA["coding"]
    assert Spi.parse(b"\x16\x39") == Spi(Check.CC, True, Counting.HIGHER, by_submit=True)
    assert coding["spi1"]["b4b5"].endswith("11 process only if exactly one higher")
    # Peer defect: pySim names value 3 "counter_must_be_lower".
    assert Spi.parse(b"\x18\x00").counting is Counting.NEXT
    with pytest.raises(Malformed, match="reserved"):
        Spi.parse(b"\x00\x03")
    assert {f"{code:02x}": code for code in Status}.keys() == coding["response_status"].keys()


def test_a_key_set_says_what_does_not_fit_and_shows_no_key() -> None:
    assert "0102" not in repr(AES) and "kic" not in repr(AES)
    for wrong in (
        {"version": 16},
        {"version": 1, "cipher": "ROT13", "kic": b"1"},
        {"version": 1, "cipher": "AES-CBC", "kic": bytes(8)},
        {"version": 1, "mac": "DES-CBC-MAC", "kid": bytes(8), "mac_length": 4},
        {"version": 1, "kic": bytes(16)},
    ):
        with pytest.raises(Malformed, match="ota"):
            KeySet(**wrong)
    assert KeySet.from_dict(AES.to_dict()) == AES
    rows: list[object] = [
        {},
        {"version": "1"},
        {"version": 1, "kik": ""},
        {"version": 1, "kid": "xx"},
        {"version": 1, "kic": 7},
        [],
    ]
    for row in rows:
        with pytest.raises(Malformed, match="ota"):
            KeySet.from_dict(row)


def test_mac_of_four_octets_is_as_long_as_the_key_set_says() -> None:
    # Peer defect: pySim always uses 8 octets. A packet may not choose the shorter one.
    short = KeySet(2, AES.cipher, AES.kic, AES.mac, AES.kid, mac_length=4)
    command = CommandPacket(Spi(), 0x22, 0x22, b"\xb0\x00\x11", 1, b"abc")
    assert seal(command, short)[2] == 17 and seal(command, AES)[2] == 21
    with pytest.raises(OtaError) as caught:
        unseal(seal(command, short), AES)
    assert caught.value.status == Status.CHECK_FAILED
