import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.aka import generate_vector
from imslab.uicc import Card, IsimClient, Narrator, Profile, Recorder, authenticate_parts, explain_apdu
from imslab.uicc.apdu import authenticate

ISIM = "a0000000871004"


def labels(*exchanges: tuple[str, str]) -> list[tuple[str, str]]:
    narrator = Narrator()
    return [
        narrator.label(bytes.fromhex(command), bytes.fromhex(response)) for command, response in exchanges
    ]


def test_files_are_named_from_the_selection() -> None:
    found = labels(
        ("00a4040407a000000087100400", "62009000"),
        ("00a40004026f0700", "62009000"),
        ("00b0000000", "13009000"),
        ("00a4040407a000000087100200", "62009000"),
        ("00a40004026f0700", "62009000"),
        ("00b0000000", "6982"),
        ("00b2012480", "aa9000"),
        ("00b2000280", "6a83"),
        ("00a40804047fff6f3800", "9000"),
        ("00a40004023f0000", "62009000"),
        ("00b2010400", "6986"),
    )
    assert [command for command, _ in found] == [
        "SELECT ADF.ISIM",
        "SELECT EF.IST",
        "READ BINARY EF.IST",
        "SELECT ADF.USIM",
        "SELECT EF.IMSI",
        "READ BINARY EF.IMSI",
        "READ RECORD EF.UST #1",
        "READ RECORD EF.UST next",
        "SELECT EF.UST",
        "SELECT MF",
        "READ RECORD #1",
    ]
    assert [answer for _, answer in found][:3] == ["FCP", "FCP", "2 octets"]
    assert found[5][1] == "6982 security status not satisfied"


def test_a_refused_select_changes_no_name() -> None:
    found = labels(
        ("00a4040407a000000087100400", "9000"),
        ("00a40004026f0200", "9000"),
        ("00a40004026f0900", "6a82"),
        ("00b0000000", "80009000"),
    )
    assert found[-1][0] == "READ BINARY EF.IMPI"
    assert found[2] == ("SELECT EF.P-CSCF", "6A82 file not found")


def test_channels_are_followed() -> None:
    found = labels(
        ("0070000001", "019000"),
        ("01a4040407a000000087100400", "9000"),
        ("01a40004026f0300", "9000"),
        ("00b0000000", "6986"),
        ("01b0000000", "80009000"),
        ("0170000001", "029000"),
        ("02a40004026f0400", "9000"),
        ("00708001", "9000"),
        ("01b0000000", "6881"),
    )
    names = [command for command, _ in found]
    assert names[3:5] == ["READ BINARY", "READ BINARY EF.DOMAIN"]
    assert names[6:] == ["SELECT EF.IMPU", "MANAGE CHANNEL close 1", "READ BINARY"]
    assert found[0] == ("MANAGE CHANNEL open", "1 octet")
    assert found[7][1] == "9000"


def test_get_response_is_told_as_the_answer_it_brings() -> None:
    found = labels(
        ("00a4040407a0000000871004", "6138"),
        ("00c0000038", "62009000"),
        ("0088008122" + "10" + "00" * 16 + "10" + "00" * 16, "6110"),
        ("00c0000010", "dc0e" + "00" * 14 + "9000"),
    )
    assert found[1] == ("GET RESPONSE", "FCP")
    assert found[2] == ("AUTHENTICATE (IMS AKA)", "6110 16 octets wait for GET RESPONSE")
    assert found[3] == ("GET RESPONSE", "DC: AUTS")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("00a4040407a000000087100400", "SELECT ADF.ISIM"),
        ("00a4040410a0000005591010ffffffff890000010000", "SELECT AID a0000005591010ffffffff8900000100"),
        ("00a40004022fe200", "SELECT EF.ICCID"),
        ("00a40004027f1000", "SELECT DF 7F10"),
        ("00a40004027fff00", "SELECT current ADF"),
        ("00a4030400", "SELECT MF"),
        ("00b08200", "READ BINARY EF.ICCID"),
        ("00b0020000", "READ BINARY"),
        ("00d6850001ff", "UPDATE BINARY EF.PL"),
        ("00880081", "AUTHENTICATE (3G)"),
        ("00880080", "AUTHENTICATE (GSM)"),
        ("00880084", "AUTHENTICATE (GBA)"),
        ("002000010831323334ffffffff", "VERIFY PIN1"),
        ("0020000a", "VERIFY ADM1 (tries left?)"),
        ("002c0001", "UNBLOCK PIN1 (tries left?)"),
        ("80f20000", "STATUS"),
        ("801000000120", "TERMINAL PROFILE"),
        ("00fe0000", "INS FE"),
        ("00a2010401ff", "SEARCH RECORD #1"),
        ("00b2000400", "READ RECORD current"),
        ("00", "not a command"),
    ],
)
def test_one_command_alone(command: str, words: str) -> None:
    assert explain_apdu(bytes.fromhex(command)) == words


def test_a_secret_is_in_no_label() -> None:
    for text in Narrator().label(bytes.fromhex("0020000108") + b"4711\xff\xff\xff\xff", b"\x90\x00"):
        assert "4711" not in text
        assert b"4711".hex() not in text


def test_a_whole_login_on_the_card(alice: Profile) -> None:
    narrator, told = Narrator(), list[tuple[str, str]]()
    recorder = Recorder(
        Card(alice), lambda e: told.append(narrator.label(e.command, e.response)), clock=lambda: 0.0
    )
    client = IsimClient(recorder)
    client.read_profile()
    vector = generate_vector(alice.functions, bytes(16), (32).to_bytes(6))
    client.authenticate(vector.rand, vector.autn)
    assert ("READ BINARY EF.IMPI", "128 octets") in told
    assert ("READ RECORD EF.IMPU #2", "128 octets") in told
    assert told[-1] == ("AUTHENTICATE (IMS AKA)", "DB: RES CK IK")


def test_the_parts_of_a_challenge_and_its_answers(alice: Profile) -> None:
    vector = generate_vector(alice.functions, bytes(range(16)), (32).to_bytes(6), b"\x80\x00")
    command = authenticate(vector.rand, vector.autn)
    card = Card(alice)
    card.transmit(bytes.fromhex("00a4040c07a0000000871002"))
    asked, answered = authenticate_parts(command, card.transmit(command))
    assert asked == [
        ("RAND", vector.rand),
        ("SQN xor AK", vector.sqn_xor_ak),
        ("AMF", b"\x80\x00"),
        ("MAC", vector.mac_a),
    ]
    assert answered[:3] == [("RES", vector.xres), ("CK", vector.ck), ("IK", vector.ik)]
    assert [name for name, _ in answered] == ["RES", "CK", "IK", "Kc"]
    _, again = authenticate_parts(command, card.transmit(command))
    assert [(name, len(value)) for name, value in again] == [("SQN_MS xor AK*", 6), ("MAC-S", 8)]
    assert authenticate_parts(command, b"\x98\x62") == (asked, [])
    gsm = bytes.fromhex("0088008011" + "10" + "00" * 16 + "00")
    asked, answered = authenticate_parts(gsm, card.transmit(gsm))
    assert [name for name, _ in asked + answered] == ["RAND", "SRES", "Kc"]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_exchange_has_labels(command: bytes, response: bytes) -> None:
    narrator = Narrator()
    for _ in range(2):
        asked, answered = narrator.label(command, response)
        assert asked
        assert answered
    authenticate_parts(command, response)
    assert explain_apdu(command)


@given(
    st.lists(
        st.tuples(st.sampled_from([0xA4, 0xB0, 0xB2, 0x70, 0xC0, 0x88]), st.binary(min_size=2, max_size=12)),
        max_size=20,
    )
)
def test_any_story_has_labels(story: list[tuple[int, bytes]]) -> None:
    narrator = Narrator()
    for ins, rest in story:
        assert narrator.label(bytes((0, ins)) + rest, b"\x01\x90\x00")[0]


def test_files_without_a_coding_have_their_names_in_their_application_alone() -> None:
    found = labels(
        ("00a4040407a000000087100200", "9000"),
        ("00a40004026fe300", "9000"),
        ("00b0000000", "aa9000"),
        ("00a4040407a000000087100400", "9000"),
        ("00a40004026fe300", "9000"),
    )
    names = [command for command, _ in found]
    assert names[1:3] == ["SELECT EF.EPSLOCI", "READ BINARY EF.EPSLOCI"]
    assert names[4] == "SELECT 6FE3"
