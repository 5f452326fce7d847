from dataclasses import replace

import pytest

from imslab.errors import CardError, Malformed
from imslab.uicc import Card, IsimClient, Profile, Recorder
from imslab.uicc.apdu import UPDATE_BINARY, UPDATE_RECORD, VERIFY
from imslab.uicc.provisioning import compare, provision

ADM = "88888888"


@pytest.fixture
def new(alice: Profile) -> Profile:
    return replace(
        alice,
        impi="new@ims.example",
        impu=("sip:new@ims.example",),
        domain="ims.example",
        pcscf=("2001:db8::1", "192.0.2.7"),
    )


def recorded(card: Card) -> Recorder:
    return Recorder(card, clock=lambda: 0.0)


def writes(recorder: Recorder) -> int:
    return sum(one.command[1] in (UPDATE_BINARY, UPDATE_RECORD, VERIFY) for one in recorder.exchanges)


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_a_card_is_given_another_profile(alice: Profile, new: Profile, protocol: str) -> None:
    card = Card(alice, protocol=protocol)  # type: ignore[arg-type]
    report = provision(card, new, ADM)
    assert report.is_done
    assert [one.name for one in report.differences] == [
        "ADF.ISIM EF.IMPI",
        "ADF.ISIM EF.DOMAIN",
        "ADF.ISIM EF.IMPU #1",
        "ADF.ISIM EF.IMPU #2",
        "ADF.ISIM EF.IMPU #3",
        "ADF.ISIM EF.P-CSCF #1",
        "ADF.ISIM EF.P-CSCF #2",
    ]
    card.reset()
    found = IsimClient(card).read_profile()
    assert (found.impi, found.impu, found.domain, found.pcscf) == (new.impi, new.impu, new.domain, new.pcscf)
    assert compare(card, new).differences == ()


def test_comparing_writes_nothing(card: Card, new: Profile) -> None:
    recorder = recorded(card)
    report = compare(recorder, new)
    assert writes(recorder) == 0
    assert not report.is_done
    assert str(report).splitlines()[:3] == [
        "same      ADF.ISIM EF.IST",
        "same      ADF.ISIM EF.WebRTCURI",
        "same      ADF.USIM EF.IMSI",
    ]
    assert (
        "differs   ADF.ISIM EF.IMPI: 001010000000001@ims.mnc001.mcc001.3gppnetwork.org -> new@ims.example"
        in str(report)
    )
    assert "differs   ADF.ISIM EF.IMPU #2: tel:+15550100001 -> empty" in str(report)


def test_where_nothing_differs_the_key_is_not_presented(card: Card, alice: Profile) -> None:
    recorder = recorded(card)
    report = provision(recorder, alice, "00000000")  # the wrong key would cost a try
    assert writes(recorder) == 0
    assert report.differences == ()
    assert report.is_done


def test_a_wrong_key_costs_one_try_and_writes_nothing(card: Card, alice: Profile, new: Profile) -> None:
    recorder = recorded(card)
    with pytest.raises(CardError, match="VERIFY ADM1: 63C2, verification failed, 2 tries remain"):
        provision(recorder, new, "00000000")
    assert compare(card, alice).differences == ()


def test_the_last_try_is_kept_unless_told(card: Card, new: Profile) -> None:
    for _ in range(2):
        card.transmit(bytes.fromhex("0020000a083030303030303030"))
    recorder = recorded(card)
    with pytest.raises(CardError, match="not sent, 1 try remains"):
        provision(recorder, new, ADM)
    assert [one.command for one in recorder.exchanges if one.command[1] == VERIFY] == [
        bytes.fromhex("0020000a")
    ]
    assert provision(card, new, ADM, even_the_last=True).is_done


def test_a_blocked_key(card: Card, new: Profile) -> None:
    for _ in range(3):
        card.transmit(bytes.fromhex("0020000a083030303030303030"))
    with pytest.raises(CardError, match="blocked"):
        provision(card, new, ADM, even_the_last=True)


def test_what_does_not_fit_is_refused_before_anything_is_written(card: Card, new: Profile) -> None:
    for wrong, says in (
        (replace(new, impi="x" * 130), "EF.IMPI cannot hold"),
        (replace(new, impu=("sip:a@b",) * 4), "EF.IMPU has 3 records"),
        (replace(new, pcscf=("a" * 130,)), "EF.P-CSCF #1 cannot hold"),
        (replace(new, ist=frozenset({1, 5, 30})), "EF.IST cannot hold"),
    ):
        recorder = recorded(card)
        with pytest.raises(Malformed, match=says):
            provision(recorder, wrong, ADM)
        assert writes(recorder) == 0


def test_a_card_without_isim_gets_what_it_has_room_for(carol: Profile, new: Profile) -> None:
    report = provision(Card(carol), new, ADM)
    assert report.absent == ("ADF.ISIM",)
    assert [str(one) for one in report.differences] == [
        f"ADF.USIM EF.IMSI: {carol.imsi} -> {new.imsi} (written)"
    ]


def test_an_eight_octet_key(alice: Profile, new: Profile) -> None:
    assert provision(Card(alice), new, b"88888888").is_done
    with pytest.raises(Malformed, match="8 octets"):
        provision(Card(alice), new, b"8888")


def test_reading_under_a_pin_names_the_file(alice: Profile, new: Profile) -> None:
    with pytest.raises(CardError, match="6982"):
        compare(Card(replace(alice, pin1_enabled=True)), new)


class Forgetful:
    """A card that says 9000 to UPDATE and keeps nothing."""

    def __init__(self, card: Card, sw: bytes) -> None:
        self._card, self._sw = card, sw

    def transmit(self, apdu: bytes, /) -> bytes:
        return self._sw if apdu[1] in (UPDATE_BINARY, UPDATE_RECORD) else self._card.transmit(apdu)

    def reset(self) -> bytes:
        return self._card.reset()


def test_what_was_not_kept_is_said(card: Card, new: Profile) -> None:
    report = provision(Forgetful(card, b"\x90\x00"), new, ADM)
    assert not report.is_done
    assert {one.state for one in report.differences} == {"not kept"}
    with pytest.raises(
        CardError, match=r"UPDATE of ADF\.ISIM EF\.IMPI: 6581.*0 of 7 values were written before"
    ):
        provision(Forgetful(card, b"\x65\x81"), new, ADM)
