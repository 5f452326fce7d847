"""The client against good cards, odd cards, and cards that are not there any more."""

import contextlib
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.aka import generate_vector, open_auts
from imslab.errors import CardError, CardGone, ImslabError, MacFailure, Malformed, SyncFailure
from imslab.uicc import Card, IsimClient, Profile
from imslab.uicc.isim import read_answer

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
RAND = bytes(range(16))


def changed(profile: Profile, **values: object) -> Profile:
    return Profile.from_dict({**profile.to_dict(), **values})


class Odd:
    """A card with one oddity: ``alter`` may put another response in the place of the card's."""

    def __init__(self, card: Card, alter: Callable[[bytes, bytes], bytes | None]) -> None:
        self._card, self._alter = card, alter

    def transmit(self, apdu: bytes, /) -> bytes:
        response = self._card.transmit(apdu)
        altered = self._alter(apdu, response)
        return response if altered is None else altered

    def reset(self) -> bytes:
        return self._card.reset()


def when(start: str, answer: str) -> Callable[[bytes, bytes], bytes | None]:
    return lambda command, _: bytes.fromhex(answer) if command.hex().startswith(start) else None


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_the_profile_of_alice(alice: Profile, protocol: str) -> None:
    found = IsimClient(Card(alice, protocol=protocol)).read_profile()  # type: ignore[arg-type]
    assert (found.source, found.impi, found.domain) == ("ISIM", f"001010000000001@{DOMAIN}", DOMAIN)
    assert found.impu == alice.impu
    assert found.pcscf == (f"pcscf.{DOMAIN}",)
    assert found.iccid == alice.iccid
    assert found.ist == {1, 2, 5, 20}
    assert found.webrtc_uri == alice.webrtc_uri
    assert found.aid.hex().startswith("a0000000871004")
    assert found.warnings == ()


def test_without_isim_the_identity_follows_from_the_imsi(carol: Profile) -> None:
    found = IsimClient(Card(carol)).read_profile()
    assert (found.source, found.imsi) == ("USIM", "001010000000003")
    assert found.impi == f"001010000000003@{DOMAIN}"
    assert found.impu == (f"sip:001010000000003@{DOMAIN}",)
    assert found.domain == DOMAIN
    assert found.warnings == ()


def test_an_mnc_of_three_digits(carol: Profile) -> None:
    card = Card(changed(carol, imsi="310410123456789", mnc_length=3, iccid=""))
    assert IsimClient(card).read_profile().domain == "ims.mnc410.mcc310.3gppnetwork.org"


def test_no_mnc_length_is_a_warning(carol: Profile) -> None:
    def short(command: bytes, response: bytes) -> bytes | None:
        return bytes.fromhex("000000009000") if len(response) == 6 and command[1] == 0xB0 else None

    found = IsimClient(Odd(Card(carol), short)).read_profile()
    assert found.domain == DOMAIN
    assert any("MNC" in warning for warning in found.warnings)


def test_the_profile_as_a_table(alice: Profile) -> None:
    table = IsimClient(Card(changed(alice, impi="<b>@x"))).read_profile()._repr_html_()
    assert table.startswith("<table>")
    assert "&lt;b&gt;@x" in table
    assert "<b>" not in table
    assert "1, 2, 5, 20" in table


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_authenticate(alice: Profile, protocol: str) -> None:
    client = IsimClient(Card(alice, protocol=protocol))  # type: ignore[arg-type]
    vector = generate_vector(alice.functions, RAND, (32).to_bytes(6))
    answer = client.authenticate(vector.rand, vector.autn)
    assert (answer.res, answer.ck, answer.ik, answer.kc) == (vector.xres, vector.ck, vector.ik, None)
    with pytest.raises(SyncFailure) as caught:
        client.authenticate(vector.rand, vector.autn)
    assert open_auts(alice.functions, RAND, caught.value.auts) == (32).to_bytes(6)
    with pytest.raises(MacFailure):
        client.authenticate(vector.rand, vector.autn[:-1] + bytes([vector.autn[-1] ^ 1]))


def test_a_usim_gives_kc(carol: Profile) -> None:
    vector = generate_vector(carol.functions, RAND, (32).to_bytes(6))
    assert len(IsimClient(Card(carol)).authenticate(vector.rand, vector.autn).kc or b"") == 8


@pytest.mark.parametrize(("rand", "autn"), [(15, 16), (16, 15), (0, 0)])
def test_challenges_of_another_length_reach_no_card(alice: Profile, rand: int, autn: int) -> None:
    def fail(command: bytes, _: bytes) -> bytes | None:
        raise AssertionError(command.hex())

    with pytest.raises(Malformed):
        IsimClient(Odd(Card(alice), fail)).authenticate(bytes(rand), bytes(autn))


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_a_pin_is_asked_for_and_never_guessed(alice: Profile, protocol: str) -> None:
    verified: list[bytes] = []

    def watch(command: bytes, _: bytes) -> None:
        verified.extend([command] if command[1] == 0x20 and len(command) > 5 else [])

    locked = Card(changed(alice, pin1_enabled=True), protocol=protocol)  # type: ignore[arg-type]
    link = Odd(locked, watch)
    client = IsimClient(link)
    with pytest.raises(CardError, match="PIN1 is needed, 3 tries remain") as caught:
        client.read_profile()
    assert (caught.value.sw1, caught.value.sw2) == (0x69, 0x82)
    with pytest.raises(CardError, match="AUTHENTICATE: PIN1 is needed"):
        client.authenticate(bytes(16), bytes(16))
    assert verified == []
    for left in ("2 tries remain", "1 try remains", "not sent, 1 try remains", "not sent, 1 try remains"):
        with pytest.raises(CardError, match=left):
            client.verify_pin("9999")
    assert len(verified) == 2
    with pytest.raises(CardError, match="no try remains"):
        client.verify_pin("9999", even_the_last=True)
    with pytest.raises(CardError, match=r"blocked.*UNBLOCK PIN"):
        client.verify_pin("9999", even_the_last=True)
    assert len(verified) == 3
    with pytest.raises(CardError, match="PIN1 is blocked") as caught:
        client.read_profile()
    assert (caught.value.sw1, caught.value.sw2) == (0x69, 0x83)


def test_with_the_pin_it_goes_on(alice: Profile) -> None:
    client = IsimClient(Card(changed(alice, pin1_enabled=True)))
    client.verify_pin("1234")
    assert client.read_profile().source == "ISIM"
    with pytest.raises(Malformed):
        client.verify_pin("12")


def test_a_card_without_ef_dir(alice: Profile) -> None:
    found = IsimClient(Odd(Card(alice), when("00a40004022f00", "6a82"))).read_profile()
    assert found.source == "ISIM"
    assert found.warnings == ("EF.DIR is not on the card",)


def test_a_card_that_selects_full_names_only(alice: Profile) -> None:
    link = Odd(Card(alice), when("00a4040407", "6a82"))
    assert IsimClient(link).read_profile().source == "ISIM"


@pytest.mark.parametrize("fid", ["6f03", "6f04", "6f07", "6f09", "6ffa"])
def test_a_missing_file_is_a_warning(alice: Profile, fid: str) -> None:
    found = IsimClient(Odd(Card(alice), when(f"00a4000402{fid}", "6a82"))).read_profile()
    assert (found.source, found.impi, found.domain) == ("ISIM", f"001010000000001@{DOMAIN}", DOMAIN)
    assert found.impu
    assert any("is not on the card" in warning for warning in found.warnings)


def test_an_isim_without_identity_leads_to_the_usim(alice: Profile) -> None:
    found = IsimClient(Odd(Card(alice), when("00a40004026f02", "6a82"))).read_profile()
    assert (found.source, found.imsi) == ("USIM", "001010000000001")
    assert any("no private identity" in warning for warning in found.warnings)


def test_a_truncated_object_is_a_warning(alice: Profile) -> None:
    cut = "80ff" + "41" * 30 + "9000"

    def alter(command: bytes, response: bytes) -> bytes | None:
        return bytes.fromhex(cut) if command[1] == 0xB2 and response[:2] == b"\x80\x10" else None

    found = IsimClient(Odd(Card(alice), alter)).read_profile()
    assert found.impu == (alice.impu[0], alice.impu[2])
    assert any("EF.IMPU, record 2" in warning for warning in found.warnings)


def test_a_card_without_an_identity_that_can_be_read(carol: Profile) -> None:
    with pytest.raises(Malformed, match=r"EF\.IMSI"):
        IsimClient(Odd(Card(carol), when("00b0", "00ff9000"))).read_profile()


def test_a_template_that_lies_about_the_size(alice: Profile) -> None:
    def bigger(command: bytes, response: bytes) -> bytes | None:
        return response.replace(b"\x80\x02\x00\x80", b"\x80\x02\xff\xff") if command[1] == 0xA4 else None

    found = IsimClient(Odd(Card(alice), bigger)).read_profile()
    assert found.impi == alice.impi
    assert any("ends after" in warning for warning in found.warnings)


def test_a_template_that_lies_about_the_record_length(alice: Profile) -> None:
    def longer(command: bytes, response: bytes) -> bytes | None:
        return response.replace(b"\x42\x21\x00\x80", b"\x42\x21\x01\x80") if command[1] == 0xA4 else None

    assert IsimClient(Odd(Card(alice), longer)).read_profile().impu == alice.impu


def test_a_card_that_returns_no_template(alice: Profile) -> None:
    def bare(command: bytes, response: bytes) -> bytes | None:
        return b"\x90\x00" if command[1] == 0xA4 and response.endswith(b"\x90\x00") else None

    found = IsimClient(Odd(Card(alice), bare)).read_profile()
    assert (found.impi, found.impu) == (alice.impi, alice.impu)


def test_neither_isim_nor_usim(alice: Profile) -> None:
    client = IsimClient(Odd(Card(alice), when("00a404", "6a82")))
    with pytest.raises(CardError, match="neither an ISIM nor a USIM"):
        client.read_profile()
    with pytest.raises(CardError, match="neither an ISIM nor a USIM"):
        client.authenticate(bytes(16), bytes(16))


@pytest.mark.parametrize("sw", ["6f00", "6f42", "6581", "6d00", "6e00", "6985", "1234"])
@pytest.mark.parametrize("start", ["00a4", "00a404", "00b0", "00b2"])
def test_a_card_that_refuses(alice: Profile, start: str, sw: str) -> None:
    with pytest.raises(CardError, match=sw.upper()) as caught:
        IsimClient(Odd(Card(alice), when(start, sw))).read_profile()
    assert caught.value.sw1 == int(sw[:2], 16)
    assert caught.value.meaning


@pytest.mark.parametrize("sw", ["6f00", "9864", "6985"])
def test_authenticate_refused(alice: Profile, sw: str) -> None:
    with pytest.raises(CardError, match=sw.upper()):
        IsimClient(Odd(Card(alice), when("0088", sw))).authenticate(bytes(16), bytes(16))


@pytest.mark.parametrize("answer", ["", "90"])
@pytest.mark.parametrize("start", ["00a4", "00b2", "0088"])
def test_a_card_that_goes_away(alice: Profile, start: str, answer: str) -> None:
    client = IsimClient(Odd(Card(alice), when(start, answer)))
    with pytest.raises(CardGone):
        client.authenticate(bytes(16), bytes(16))


@pytest.mark.parametrize(
    "data",
    ["", "db", "db08", "db0101", "db01010101", "dc0e00", "dc0100", "dd00", "9000", "db0408", "db010102ff"],
)
def test_answers_that_are_none(data: str) -> None:
    with pytest.raises(Malformed):
        read_answer(bytes.fromhex(data))


@given(st.binary(max_size=80))
def test_any_answer_is_read_or_malformed(data: bytes) -> None:
    try:
        read_answer(data)
    except (Malformed, SyncFailure):
        return


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([3, 10, 40]))
def test_any_answers_of_a_card_end_in_a_profile_or_one_of_our_errors(seed: int, sane: int) -> None:
    """A card that answers at random now and then, for as long as it is asked (500 commands at most)."""
    rng, budget = random.Random(seed), 500
    card = Card(Profile(imsi="001010000000001", k=bytes(16), opc=bytes(16)))

    def alter(command: bytes, response: bytes) -> bytes | None:
        nonlocal budget
        budget -= 1
        if budget < 0:
            raise OSError("enough")
        if rng.randrange(sane):
            return None
        word = rng.choice(["9000", "9000", "6102", "6c05", "6a82", "6982", "63c2", "6f00", ""])
        body = rng.choice([b"", rng.randbytes(rng.randrange(40)), response[: rng.randrange(len(response))]])
        return body + bytes.fromhex(word)

    client = IsimClient(Odd(card, alter))
    with contextlib.suppress(ImslabError):
        client.read_profile()
        client.authenticate(bytes(16), bytes(16))
