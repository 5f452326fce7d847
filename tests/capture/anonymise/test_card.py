"""APDUs: another subscriber on a card that answers as before; toolkit and files by their own rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.aka import Milenage, generate_auts, generate_vector
from imslab.capture.anonymise.card import Cards
from imslab.uicc import apdu, bcd, gsmtap
from imslab.uicc.files import isim, usim
from tests.capture.anonymise.parts import OPC, K, Parts, parts

ENDS = ("terminal", "card")
MILENAGE = Milenage(K, OPC)
RAND, SQN = bytes(range(16)), bytes.fromhex("000000000120")
VECTOR = generate_vector(MILENAGE, RAND, SQN)
OK = b"\x90\x00"


def spoken(made: Parts, *exchanges: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the exchanges after survey and rewriting, as GSMTAP carries them."""
    cards = Cards(made.texts, made.challenges)
    payloads = [payload for one in exchanges for payload in gsmtap.encode_exchange(*one)]
    for payload in payloads:
        cards.survey(payload, ENDS)
    cards.start()
    new = [cards.rewrite(payload, ENDS) for payload in payloads]
    assert [len(one) for one in new] == [len(one) for one in payloads]
    found = [gsmtap.decode(one).exchange for one in new]
    assert None not in found
    return found  # type: ignore[return-value]


def in_isim(file: int, contents: bytes, command: bytes | None = None) -> list[tuple[bytes, bytes]]:
    aid = bytes.fromhex("a0000000871004ffffffff8907090000")
    return [
        (apdu.select_aid(aid), OK),
        (apdu.select_file(file), OK),
        (command or apdu.read_binary(), contents + OK),
    ]


def test_an_authentication_is_one_of_the_new_key(keyed: Parts) -> None:
    answer = b"\xdb" + b"".join(bytes([len(v)]) + v for v in (VECTOR.xres, VECTOR.ck, VECTOR.ik)) + OK
    (asked, first), (_, fetched) = spoken(keyed, (apdu.authenticate(RAND, VECTOR.autn), answer))
    new = generate_vector(keyed.challenges.made[0], keyed.challenges.rand(RAND), SQN)
    assert asked[:5] == apdu.authenticate(RAND, VECTOR.autn)[:5]
    assert asked[5:39] == b"\x10" + new.rand + b"\x10" + new.autn
    assert first == b"\x61\x2c"
    assert fetched == b"\xdb" + b"".join(bytes([len(v)]) + v for v in (new.xres, new.ck, new.ik)) + OK


def test_a_resynchronisation_says_the_same_sqn(keyed: Parts) -> None:
    auts = generate_auts(MILENAGE, RAND, SQN)
    found = spoken(keyed, (apdu.authenticate(RAND, VECTOR.autn), b"\xdc\x0e" + auts + OK))
    assert found[1][1][2:16] == generate_auts(keyed.challenges.made[0], keyed.challenges.rand(RAND), SQN)


def test_identities_on_the_card_are_those_in_the_messages(made: Parts) -> None:
    made.numbers.note_networks(b"mnc001.mcc001")
    impi = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
    new = spoken(made, *in_isim(isim.Impi.FID, isim.Impi(impi).encode(80)))[-1][1]
    assert isim.Impi.decode(new[:-2]).text == made.texts.name(impi)
    impu = f"sip:alice@{impi.partition('@')[2]}"
    new = spoken(made, *in_isim(isim.Impu.FID, isim.Impu(impu).encode(80), apdu.read_record(1)))[-1][1]
    assert isim.Impu.decode(new[:-2]).text == made.texts.uri(impu)


@pytest.mark.parametrize("address", ["pcscf.ims.mnc001.mcc001.3gppnetwork.org", "192.0.2.7", "2001:db8::7"])
def test_a_p_cscf_is_another(made: Parts, address: str) -> None:
    contents = isim.PCscf(address).encode(60)
    new = spoken(made, *in_isim(isim.PCscf.FID, contents, apdu.read_record(1)))[-1][1]
    assert isim.PCscf.decode(new[:-2]).address == made.texts.host(address)


def test_an_imsi_is_another_of_the_same_network(made: Parts) -> None:
    made.numbers.note_networks(b"mnc001.mcc001")
    aid = bytes.fromhex("a0000000871002ffffffff8907090000")
    read = [(apdu.select_aid(aid), OK), (apdu.select_file(usim.Imsi.FID), OK)]
    new = spoken(made, *read, (apdu.read_binary(), bcd.encode_imsi("001010123456789") + OK))[-1][1]
    assert bcd.decode_imsi(new[:9]) == made.numbers.number("001010123456789")


def test_a_file_in_two_parts_is_the_file_in_one(made: Parts) -> None:
    contents = isim.Impi("alice@home.example.com").encode(40)
    whole = spoken(made, *in_isim(isim.Impi.FID, contents))[-1][1][:-2]
    head = in_isim(isim.Impi.FID, contents[:26], apdu.read_binary(0, 26))
    parts_of_it = spoken(made, *head, (apdu.read_binary(26, 14), contents[26:] + OK))
    assert parts_of_it[-2][1][:-2] + parts_of_it[-1][1][:-2] == whole


def test_tables_stay_and_other_files_do_not(made: Parts) -> None:
    table = bytes.fromhex("190c3e00")
    assert spoken(made, *in_isim(isim.IsimServices.FID, table))[-1][1] == table + OK
    unknown = spoken(made, *in_isim(0x6F99, b"operator's own" + b"\xff" * 6))[-1][1]
    assert b"operator" not in unknown
    assert unknown.endswith(b"\xff" * 6 + OK)


def test_a_pin_is_another_and_its_filling_stays(made: Parts) -> None:
    command = bytes(apdu.Command(0, apdu.VERIFY, 0, 1, b"1234\xff\xff\xff\xff"))
    new = spoken(made, (command, OK))[0][0]
    assert new[5:9].isdigit()
    assert new[5:9] != b"1234"
    assert new[9:] == b"\xff" * 4


def test_an_application_keeps_its_kind(made: Parts) -> None:
    aid = bytes.fromhex("a0000000871004ffffffff8907090000")
    fcp = bytes.fromhex("621c8202782183027fff8410") + aid + b"\x8a\x01\x05"
    found = spoken(made, (apdu.select_aid(aid), fcp + OK))
    assert found[0][0][5:12] == aid[:7]
    assert found[0][0][12:21] != aid[7:]
    assert found[1][1][12:28] == found[0][0][5:21]


def test_the_key_of_a_web_application_on_the_card(keyed: Parts) -> None:
    from imslab.aka import gba

    naf, impi = gba.naf_id("naf.example.com"), "alice@home.example"
    key = gba.ks_ext_naf(gba.ks(VECTOR.ck, VECTOR.ik), RAND, impi, naf)
    data = b"\xde" + bytes([len(naf)]) + naf + bytes([len(impi)]) + impi.encode()
    bootstrap = b"\xdd\x10" + RAND + b"\x10" + VECTOR.autn
    found = spoken(
        keyed,
        (bytes(apdu.Command(0, apdu.AUTHENTICATE, 0, 0x84, bootstrap, 256)), b"\xdb\x08" + VECTOR.xres + OK),
        (bytes(apdu.Command(0, apdu.AUTHENTICATE, 0, 0x84, data, 256)), b"\xdb\x20" + key + OK),
    )
    new = generate_vector(keyed.challenges.made[0], keyed.challenges.rand(RAND), SQN)
    new_naf = gba.naf_id(keyed.texts.name("naf.example.com"))
    ks = gba.ks(new.ck, new.ik)
    assert found[-1][1] == b"\xdb\x20" + gba.ks_ext_naf(ks, new.rand, keyed.texts.name(impi), new_naf) + OK


def test_an_answer_to_reset_stays_and_other_packets_do_not(made: Parts) -> None:
    cards = Cards(made.texts, made.challenges)
    atr = gsmtap.encode_atr(bytes.fromhex("3b9f96801f"))
    assert cards.rewrite(atr, ENDS) == atr
    other = gsmtap.encode(b"LTE NAS")
    other = other[:2] + b"\x12" + other[3:]
    assert cards.rewrite(other, ENDS) == other[:16] + bytes(7)
    assert cards.rewrite(b"no GSMTAP at all", ENDS)[:16] == b"no GSMTAP at all"


@settings(deadline=None)
@given(st.lists(st.binary(min_size=7, max_size=60), max_size=6))
def test_any_packet_keeps_its_length(octets: list[bytes]) -> None:
    made = parts()
    cards = Cards(made.texts, made.challenges)
    payloads = [gsmtap.encode(each) for each in octets]
    for payload in payloads:
        cards.survey(payload, ENDS)
    cards.start()
    assert [len(cards.rewrite(payload, ENDS)) for payload in payloads] == [
        len(payload) for payload in payloads
    ]
