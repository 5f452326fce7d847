"""A card that is managed over the air: what changes, what does not, and what survives."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.data import profile_path
from imslab.errors import CardError, Malformed
from imslab.uicc import Card, IsimClient, Narrator, Profile
from imslab.uicc.files import isim
from imslab.uicc.ota import (
    TAR_ISIM,
    TAR_SIM,
    TAR_USIM,
    KeySet,
    ScriptAnswer,
    Spi,
    Status,
    command_packet,
    deliver,
    isim_update,
    read_file,
    seal,
    sms,
    unseal_response,
)
from imslab.uicc.store import FileStore, MemoryStore

from .conftest import Send

NEW = "sip:alice@new.example"


def contents(card: Card) -> dict[str, list[bytes]]:
    return {file.key: list(file.records) for file in card._session.files.files}


def packet(
    keys: KeySet, counter: int, script: bytes = b"", tar: bytes = TAR_ISIM, spi: Spi | None = None
) -> bytes:
    return seal(command_packet(keys, tar, script or isim_update(impu=[NEW]), counter, spi), keys)


def test_the_profile_changes(card: Card, send: Send) -> None:
    before = IsimClient(card).read_profile()
    answer = send(TAR_ISIM, isim_update(impu=[NEW], pcscf=["192.0.2.7"], domain="new.example"))
    assert (answer.status, ScriptAnswer.parse(answer.data)) == (Status.OK, ScriptAnswer(6, 0x9000))
    after = IsimClient(card).read_profile()
    assert (after.impu, after.pcscf, after.domain) == ((NEW, *before.impu[1:]), ("192.0.2.7",), "new.example")
    assert after.impi == before.impi


def test_reading_back(card: Card, send: Send) -> None:
    answer = ScriptAnswer.parse(send(TAR_ISIM, read_file(isim.Domain, length=40)).data)
    domain = IsimClient(card).read_profile().domain
    assert (answer.executed, answer.sw) == (2, 0x9000)
    assert isim.Domain.decode(answer.data).text == domain
    whole = ScriptAnswer.parse(send(TAR_ISIM, read_file(isim.Impu)).data)
    assert len(whole.data) == 96  # what is longer than a delivery report is cut


def test_where_a_script_starts_and_what_it_may_do(send: Send) -> None:
    impi, iccid, imsi = (bytes.fromhex(one) for one in ("00a4000c026f02", "00a4000c022fe2", "00a4000c026f07"))
    read = bytes.fromhex("00b0000004")
    results = [
        (TAR_ISIM, impi + read, 2, 0x9000),
        (TAR_USIM, imsi + read, 2, 0x9000),
        (TAR_USIM, impi + read, 1, 0x6A82),  # stops at the first command that is refused
        (TAR_SIM, iccid + read, 2, 0x9000),
        (TAR_SIM, bytes.fromhex("a0a40000022fe2"), 1, 0x6119),
        (TAR_SIM, bytes.fromhex("a0a40000022fe2a0c0000002"), 2, 0x9000),
        (TAR_SIM, bytes.fromhex("a0c0000002"), 1, 0x6985),
        (TAR_ISIM, bytes.fromhex("a0a40000026f02"), 1, 0x6E00),
        (TAR_ISIM, impi + bytes.fromhex("00b00000ff"), 2, 0x6C80),
        (TAR_ISIM, bytes.fromhex("0020000a083838383838383838"), 1, 0x6D00),  # no PINs
        (TAR_ISIM, bytes.fromhex("008800810100"), 1, 0x6D00),  # and no keys
        (TAR_ISIM, bytes.fromhex("00a4000c036f02"), 0, 0x6A80),  # cut: nothing is begun
        (TAR_ISIM, b"", 0, 0x9000),
    ]
    for tar, script, executed, sw in results:
        answer = ScriptAnswer.parse(send(tar, script).data)
        assert (answer.executed, f"{answer.sw:04X}") == (executed, f"{sw:04X}"), script.hex()
    assert send(b"\xb0\x00\x99", b"").status is Status.TAR_UNKNOWN


def test_what_the_terminal_has_selected_stays(card: Card, send: Send) -> None:
    card.transmit(bytes.fromhex("00a4000c023f00"))
    card.transmit(bytes.fromhex("00a4000c022fe2"))
    before = card.transmit(bytes.fromhex("00b000000a"))
    send(TAR_ISIM, isim_update(impu=[NEW]))
    assert card.transmit(bytes.fromhex("00b000000a")) == before
    client = IsimClient(card).read_profile()
    assert client.impu[0] == NEW
    card.transmit(bytes.fromhex("00a4000c026f03"))
    update = bytes.fromhex("00d600000180")
    assert card.transmit(update) == b"\x69\x82"  # what the script might do, the terminal may not


@pytest.mark.parametrize("what", ["replayed", "forged", "wrong key", "weak", "not next"])
def test_attacks_change_nothing(card: Card, keys: KeySet, send: Send, what: str) -> None:
    assert send(TAR_ISIM, isim_update(domain="first.example"), counter=5).status is Status.OK
    before = contents(card)
    forged = bytearray(packet(keys, 6))
    forged[-1] ^= 1
    attempts = {
        "replayed": (packet(keys, 5), Status.COUNTER_LOW),
        "forged": (bytes(forged), Status.CHECK_FAILED),
        "wrong key": (packet(replace(keys, kid=bytes(16)), 6), Status.CHECK_FAILED),
        "weak": (packet(keys, 6, spi=replace(Spi(), ciphered=False)), Status.INSUFFICIENT_SECURITY),
        "not next": (packet(keys, 7, spi=Spi.parse(b"\x1e\x19")), Status.COUNTER_HIGH),
    }
    attempt, status = attempts[what]
    response = deliver(card, attempt)
    command = command_packet(keys, TAR_ISIM, b"", int.from_bytes(attempt[10:15]) if what == "weak" else 0)
    if status in (Status.COUNTER_LOW, Status.COUNTER_HIGH):
        command = replace(command, counter=5 if what == "replayed" else 7)
    assert unseal_response(response, command, keys).status is status
    assert contents(card) == before
    assert send(TAR_ISIM, isim_update(impu=[NEW]), counter=6).status is Status.OK  # no counter has moved


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_the_counter_survives_power_off(alice: Profile, keys: KeySet, tmp_path: Path, kind: str) -> None:
    store = FileStore(tmp_path / "card") if kind == "file" else MemoryStore()
    card = Card(alice, store=store)
    first = packet(keys, 40)
    assert deliver(card, first)
    card.reset()
    again = Card(alice, store=FileStore(tmp_path / "card") if kind == "file" else store)
    assert IsimClient(again).read_profile().impu[0] == NEW
    for one in (card, again):
        command = command_packet(keys, TAR_ISIM, b"", 40)
        assert unseal_response(deliver(one, first), command, keys).status is Status.COUNTER_LOW
    other = alice.ota[1]  # each key set counts alone
    command = command_packet(other, TAR_ISIM, b"", 1)
    assert unseal_response(deliver(again, seal(command, other)), command, other).status is Status.OK


def test_a_damaged_counter_is_told(alice: Profile) -> None:
    store = MemoryStore()
    store.put("iccid", alice.iccid.encode())
    store.put("ota/1", b"\0")
    with pytest.raises(Malformed, match="OTA counter"):
        Card(alice, store=store)


def test_parts_in_any_order_and_lost_with_the_power(card: Card, keys: KeySet) -> None:
    script = isim_update(impu=[NEW, "tel:+1", "sip:c@d"])
    whole = packet(keys, 1, script)
    parts = [sms.envelope(sms.deliver(part)) for part in sms.segments(whole, 7)]
    assert len(parts) == 4
    ask = [part[:-1] if card.protocol == "T=0" else part for part in parts]
    assert [card.transmit(one) for one in (ask[2], ask[0], ask[0], ask[3])] == [b"\x90\x00"] * 4
    card.reset()
    assert card.transmit(ask[1]) == b"\x90\x00"  # the others are gone
    assert [card.transmit(one)[-2:] for one in (ask[3], ask[2])] == [b"\x90\x00"] * 2
    last = card.transmit(ask[0])
    assert last != b"\x90\x00"
    assert IsimClient(card).read_profile().impu == (NEW, "tel:+1", "sip:c@d")


def test_proof_as_a_message_of_its_own(card: Card, keys: KeySet) -> None:
    command = command_packet(keys, TAR_ISIM, isim_update(impu=[NEW]), 1, Spi(by_submit=True))
    (part,) = sms.segments(seal(command_packet(keys, TAR_ISIM, b"", 1, Spi(by_submit=True)), keys))
    sent = sms.envelope(sms.deliver(part))
    answer = card.transmit(sent[:-1] if card.protocol == "T=0" else sent)
    assert answer[0] == 0x91 and len(answer) == 2
    fetched = card.transmit(bytes((0x80, 0x12, 0, 0, answer[1])))
    assert fetched[-2:] == b"\x90\x00" and len(fetched) == answer[1] + 2
    assert card.transmit(bytes((0x80, 0x12, 0, 0, answer[1]))) == b"\x69\x85"  # only once
    assert unseal_response(
        deliver(card, seal(replace(command, counter=2), keys)), replace(command, counter=2), keys
    )


def test_no_proof_when_none_is_wanted(card: Card, keys: KeySet) -> None:
    quiet = Spi.parse(b"\x16\x00")
    assert deliver(card, packet(keys, 1, spi=quiet)) == b""
    assert IsimClient(card).read_profile().impu[0] == NEW


def test_what_is_no_download_is_refused(card: Card) -> None:
    plain = sms.envelope(bytes.fromhex("040881214365870000") + bytes(7) + b"\x02hi")
    for sent in (plain, bytes.fromhex("80c2000002d300"), bytes.fromhex("80c2000001d1")):
        bare = sent[: 5 + sent[4]]
        assert card.transmit(bare) == b"\x6a\x80"
    assert card.transmit(bytes.fromhex("80c2010001d1")) == b"\x6a\x86"
    assert card.transmit(bytes.fromhex("00c2000001d1")) == b"\x6e\x00"
    with pytest.raises(CardError, match=r"ENVELOPE \(SMS-PP download\): 6A80"):
        deliver(card, b"\x00\x01\x02")


def test_a_card_without_key_sets_says_so(keys: KeySet) -> None:
    carol = Card(Profile.load(profile_path("carol")))
    command = command_packet(keys, TAR_USIM, b"", 1)
    answer = unseal_response(deliver(carol, seal(command, keys)), command, keys)
    assert (answer.status, answer.verified) == (Status.SECURITY_ERROR, False)


def test_keys_are_in_the_profile_and_not_in_its_repr(alice: Profile) -> None:
    assert Profile.from_dict(alice.to_dict()) == alice
    assert "ota=" not in repr(alice) and alice.ota[0].kic.hex() not in repr(alice.ota)
    with pytest.raises(Malformed, match="same version"):
        replace(alice, ota=alice.ota[:1] * 2)
    for wrong in ("key", [1], [{"version": 1, "kic": "00"}]):
        with pytest.raises(Malformed, match="ota"):
            Profile.from_dict({**alice.to_dict(), "ota": wrong})


def test_words_in_the_ladder(keys: KeySet) -> None:
    (part,) = sms.segments(packet(keys, 1, b"\0" * 5))
    told = Narrator()
    sent = sms.envelope(sms.deliver(part))
    assert told.label(sent, b"\x61\x20") == (
        "ENVELOPE (SMS-PP download)",
        "6120 32 octets wait for GET RESPONSE",
    )
    assert told.label(bytes.fromhex("00c0000020"), bytes.fromhex("027100000b0ab000129000")) == (
        "GET RESPONSE",
        "proof of receipt",
    )
    assert told.label(bytes.fromhex("80c2000002d300"), b"\x6a\x80")[0] == "ENVELOPE (menu selection)"


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_fuzz_any_envelope_is_answered_and_nothing_changes(
    alice: Profile, keys: KeySet, protocol: str
) -> None:
    rng = random.Random(102225)  # a seed makes the run repeat itself
    card = Card(alice, protocol=protocol)  # type: ignore[arg-type]
    before = contents(card)
    good = sms.envelope(sms.deliver(sms.segments(packet(keys, 1, b"\0" * 40))[0]))
    seen = set()
    for _ in range(6000):
        octets = bytearray(good[: 5 + good[4]])
        for _ in range(rng.randrange(1, 4)):
            octets[rng.randrange(5, len(octets))] = rng.randrange(256)
        octets[4:5] = bytes((len(octets) - 5,))
        answer = card.transmit(bytes(octets))
        seen.add(answer[-2:-1])
        assert answer[-2] in (0x90, 0x91, 0x61, 0x6A), octets.hex()
    assert len(seen) >= 2
    assert contents(card) == before
    assert card._download._receiver.counters[1] <= 1


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=255), st.sampled_from([0xC2, 0x12, 0x14]))
def test_any_data_ends_in_a_status_word(data: bytes, ins: int) -> None:
    card = Card(Profile.load(profile_path("bob")))
    body = bytes((len(data),)) + data if data else b""
    assert 2 <= len(card.transmit(bytes((0x80, ins, 0, 0)) + body)) <= 258
