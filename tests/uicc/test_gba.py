"""GBA on the card: commands, files, and their words for a ladder and a picture."""

import pytest

from imslab.aka import gba, generate_vector
from imslab.data import profile_path
from imslab.errors import CardError, MacFailure, Malformed, SyncFailure
from imslab.uicc import Card, IsimClient, MemoryStore, Narrator, Profile, apdu, authenticate_parts
from imslab.uicc.anatomy import command_parts

RAND = bytes(range(16))
ALICE = Profile.load(profile_path("alice"))


def vector(seq=1):
    return generate_vector(ALICE.functions, RAND, (seq << 5).to_bytes(6))


@pytest.fixture(params=["T=0", "T=1"])
def client(request):
    return IsimClient(Card(ALICE, protocol=request.param))


def test_only_res_leaves_the_card(client):
    one = vector()
    assert client.gba_bootstrap(one.rand, one.autn) == one.xres
    identifier = gba.naf_id("naf.example.com")
    expected = gba.ks_ext_naf(gba.ks(one.ck, one.ik), RAND, ALICE.impi, identifier)
    assert client.gba_naf(identifier, ALICE.impi) == expected


def test_refusals(client):
    with pytest.raises(CardError, match="6985"):
        client.gba_naf(b"naf", ALICE.impi)
    one = vector()
    with pytest.raises(MacFailure):
        client.gba_bootstrap(one.rand, one.autn[:15] + bytes([one.autn[15] ^ 1]))
    client.gba_bootstrap(one.rand, one.autn)
    with pytest.raises(SyncFailure) as caught:
        client.gba_bootstrap(one.rand, one.autn)
    assert len(caught.value.auts) == 14
    with pytest.raises(Malformed):
        client.gba_naf(bytes(250), ALICE.impi)
    with pytest.raises(Malformed):
        client.gba_naf(b"naf", "\ud800")


def test_the_files_follow(client):
    one, two = vector(1), vector(2)
    client.gba_bootstrap(one.rand, one.autn)
    assert client.gba_bootstrapping().rand == RAND  # the card notes it by itself
    client.gba_store(RAND, "one@bsf", "2027-01-15T08:00:00Z")
    for name in ("a", "b", "c", "a"):
        client.gba_naf(name.encode(), ALICE.impi)
    assert [(n.naf_id, n.b_tid) for n in client.gba_nafs()] == [
        (name, b"one@bsf") for name in (b"a", b"b", b"c")
    ]
    client.gba_bootstrap(two.rand, two.autn)
    assert client.gba_bootstrapping().b_tid == ""  # of the run before
    client.gba_store(RAND, "two@bsf", "")
    client.gba_naf(b"a", ALICE.impi)
    client.gba_naf(b"d", ALICE.impi)  # no room: the last one goes
    found = {n.naf_id: n.b_tid for n in client.gba_nafs()}
    assert found == {b"a": b"two@bsf", b"b": b"one@bsf", b"d": b"two@bsf"}
    with pytest.raises(Malformed):
        client.gba_store(RAND, "b" * 200, "")


def test_notes_survive_power_off():
    store, one = MemoryStore(), vector()
    client = IsimClient(Card(ALICE, store=store))
    client.gba_bootstrap(one.rand, one.autn)
    client.gba_store(RAND, "one@bsf", "x")
    client.gba_naf(b"a", ALICE.impi)
    again = IsimClient(Card(ALICE, store=store))
    assert again.gba_bootstrapping().b_tid == "one@bsf" and len(again.gba_nafs()) == 1


def test_a_usim_alone_does_it_too():
    carol = Profile.load(profile_path("carol"))
    client = IsimClient(Card(carol))
    one = generate_vector(carol.functions, RAND, (1 << 5).to_bytes(6))
    assert client.gba_bootstrap(one.rand, one.autn) == one.xres
    client.gba_store(RAND, "one@bsf", "")
    assert len(client.gba_naf(b"naf", "impi")) == 32 and client.gba_nafs()[0].b_tid == b"one@bsf"


def test_words():
    one, told = vector(), Narrator()
    command = apdu.gba_bootstrap(one.rand, one.autn)
    assert told.label(command, b"\xdb\x08" + one.xres + b"\x90\x00") == (
        "AUTHENTICATE (GBA, bootstrap)",
        "DB: RES",
    )
    derive = apdu.gba_naf(b"naf", b"impi")
    response = b"\xdb\x20" + bytes(32) + b"\x90\x00"
    assert told.label(derive, response) == ("AUTHENTICATE (GBA, NAF key)", "DB: Ks_ext_NAF")
    assert authenticate_parts(derive, response) == (
        [("NAF_Id", b"naf"), ("IMPI", b"impi")],
        [("Ks_ext_NAF", bytes(32))],
    )
    assert authenticate_parts(bytes.fromhex("0088008403de05610000"), response)[0] == []


@pytest.mark.parametrize("command", [apdu.gba_bootstrap(RAND, RAND), apdu.gba_naf(b"naf", b"impi")])
def test_a_picture_shows_every_octet_once(command):
    parts = command_parts(command)
    assert b"".join(value for _, value in parts) == command
    assert {name for name, _ in parts} & {"RAND", "NAF_Id"} and "data" not in dict(parts)
