"""What the Cx messages have in common."""

import pytest

from imslab.net import cx_avps, diameter


def test_identities_of_a_profile_come_back_in_their_order() -> None:
    impus = ("sip:alice@ims.example", "tel:+1<&>")
    text = cx_avps.subscription("1@ims.example", impus).decode()
    assert "<PrivateID>1@ims.example</PrivateID>" in text
    assert cx_avps.identities(text) == impus


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<Identity>\n  sip:a@b </Identity><Identity>tel:+1</Identity>", ("sip:a@b", "tel:+1")),
        ("<Identity></Identity><Other>sip:a@b</Other>", ()),
        (f"<Identity>{'x' * 1001}</Identity>", ()),
        ("", ()),
    ],
)
def test_what_other_peoples_profiles_look_like(text: str, found: tuple[str, ...]) -> None:
    assert cx_avps.identities(text) == found


def test_every_message_opens_alike() -> None:
    octets = cx_avps.request(cx_avps.MAR, 7, cx_avps.opening("s;1", "scscf.x", "x"))
    header, avps = diameter.parse(octets)
    assert (header.command, header.flags, header.application) == (303, 0xC0, 16_777_216)
    assert (header.hop_by_hop, header.end_to_end) == (7, 7)
    assert avps.text(diameter.SESSION) == "s;1"
    assert avps.octets(diameter.SESSION_STATE) == bytes.fromhex("00000001")  # NO_STATE_MAINTAINED
