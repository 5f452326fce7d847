"""BSF, NAF and the terminal's side of GBA as machines: no socket, no clock."""

import itertools
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imslab.aka import digest, gba
from imslab.data import profile_path
from imslab.errors import Malformed, WrongResponse
from imslab.ims import Hss
from imslab.ims import gba as terminal
from imslab.ims.bsf import PATIENCE, Bsf, NoSuchKey
from imslab.ims.gba import BootstrappingInfo, GbaFailed
from imslab.ims.http import Request, Response
from imslab.ims.naf import NONCE_LIFETIME, Naf
from imslab.sip import Credentials
from imslab.uicc import Card, IsimClient, Profile

BSF, SHOP = "bsf.mnc001.mcc001.pub.3gppnetwork.org", "naf.example.com"
NOW = 1_800_000_000.0


def octets():
    counter = itertools.count(1)
    return lambda length: next(counter).to_bytes(4).rjust(length, b"\x5a")


@dataclass
class World:
    hss: Hss
    bsf: Bsf
    naf: Naf
    card: IsimClient
    impi: str

    def challenged(self, now=NOW):
        request = terminal.first_request(BSF, self.impi)
        return request, terminal.challenge(self.bsf.receive(request, now), BSF)

    def bootstrap(self, now=NOW):
        request, asked = self.challenged(now)
        rand, autn, _ = digest.parse_nonce(asked.nonce)
        answer = self.card.authenticate(rand, autn)
        request = terminal.answer(request, asked, self.impi, answer.res, cnonce="c")
        response = self.bsf.receive(request, now)
        terminal.believe(request, response, answer.res)
        ks = gba.ks(answer.ck, answer.ik)
        key = gba.ks_naf(ks, rand, self.impi, gba.naf_id(SHOP))
        return BootstrappingInfo.parse(response.body), gba.password(key).encode()

    def visit(self, b_tid, password, now=NOW, cnonce="c"):
        request = terminal.get(SHOP, "/basket?n=1", terminal.AGENT)
        asked = terminal.challenge(self.naf.receive(request, now), self.naf.realm)
        request = terminal.answer(request, asked, b_tid, password, cnonce=cnonce)
        return request, self.naf.receive(request, now)


def page(impi, request):
    return f"<p>{impi} wants {request.target}</p>".encode()


@pytest.fixture
def world():
    profile = Profile.load(profile_path("alice"))
    hss = Hss(random=octets())
    hss.add(profile)
    bsf = Bsf(BSF, hss.ask, random=octets(), lifetime=600.0)
    naf = Naf(SHOP, bsf.keys, page, random=octets())
    yield World(hss, bsf, naf, IsimClient(Card(profile)), profile.impi)
    hss.close()


def test_a_login(world):
    info, password = world.bootstrap()
    assert info.b_tid.endswith("@" + BSF) and info.expires == NOW + 600
    request, response = world.visit(info.b_tid, password)
    assert response.status == 200
    assert response.body == f"<p>{world.impi} wants /basket?n=1</p>".encode()
    terminal.believe(request, response, password)


def test_what_stands_in_the_messages(world):
    request, asked = world.challenged()
    first = Credentials.parse(request.get("Authorization"))
    assert (first.username, first.realm, first.nonce, first.response) == (world.impi, BSF, "", "")
    assert "3gpp-gba" in request.get("User-Agent")
    assert (asked.algorithm, asked.qop, asked.realm) == ("AKAv1-MD5", ("auth-int",), BSF)
    assert len(digest.parse_nonce(asked.nonce)[2]) == 0
    offer = terminal.challenge(
        world.naf.receive(terminal.get(SHOP, "/", "x"), NOW), "3GPP-bootstrapping@" + SHOP
    )
    assert (offer.algorithm, offer.qop) == ("MD5", ("auth-int",))


def test_the_challenges_rand_names_the_run(world):
    _, asked = world.challenged()
    rand, autn, _ = digest.parse_nonce(asked.nonce)
    res = world.card.authenticate(rand, autn).res
    request = terminal.answer(terminal.first_request(BSF, world.impi), asked, world.impi, res, cnonce="c")
    response = world.bsf.receive(request, NOW)
    assert BootstrappingInfo.parse(response.body).b_tid == gba.b_tid(rand, BSF)
    assert response.get("content-type") == "application/vnd.3gpp.bsf+xml"
    assert world.bsf.receive(request, NOW).status == 401  # a challenge is good for one answer


def test_wrong_res_is_refused_and_makes_no_key(world):
    request, asked = world.challenged()
    forged = terminal.answer(request, asked, world.impi, bytes(8), cnonce="c")
    response = world.bsf.receive(forged, NOW)
    assert response.status == 403 and b"not the one" in response.body
    rand = digest.parse_nonce(asked.nonce)[0]
    with pytest.raises(NoSuchKey, match="no such B-TID"):
        world.bsf.keys(gba.b_tid(rand, BSF), gba.naf_id(SHOP), NOW)


def test_a_mac_failure_is_told_by_an_empty_response(world):
    request, asked = world.challenged()
    said = Credentials.digest(username=world.impi, realm=BSF, nonce=asked.nonce, uri="/", response="")
    response = world.bsf.receive(request.having("Authorization", str(said)), NOW)
    assert response.status == 403 and b"MAC failure" in response.body


def resynchronised(world, auts, password=b""):
    request, asked = world.challenged()
    return asked, world.bsf.receive(
        terminal.answer(request, asked, world.impi, password, cnonce="c", auts=auts), NOW
    )


def test_auts_brings_a_new_challenge(world):
    from imslab.errors import SyncFailure

    world.bootstrap()
    world.hss.forget_sqn(world.impi)
    request, asked = world.challenged()
    rand, autn, _ = digest.parse_nonce(asked.nonce)
    with pytest.raises(SyncFailure) as caught:
        world.card.authenticate(rand, autn)
    answer = terminal.answer(request, asked, world.impi, b"", cnonce="c", auts=caught.value.auts)
    again = terminal.challenge(world.bsf.receive(answer, NOW), BSF)
    assert again.nonce != asked.nonce
    rand, autn, _ = digest.parse_nonce(again.nonce)
    res = world.card.authenticate(rand, autn).res
    final = terminal.answer(request, again, world.impi, res, cnonce="d")
    assert world.bsf.receive(final, NOW).status == 200


def test_forged_auts_is_refused(world):
    _, response = resynchronised(world, bytes(14))
    assert response.status == 403 and b"AUTS" in response.body
    _, response = resynchronised(world, bytes(14), b"a password")  # beside auts the password is empty
    assert response.status == 403 and b"not the one" in response.body


def test_a_challenge_dies_of_age(world):
    request, asked = world.challenged()
    rand, autn, _ = digest.parse_nonce(asked.nonce)
    answer = terminal.answer(request, asked, world.impi, world.card.authenticate(rand, autn).res, cnonce="c")
    assert world.bsf.receive(answer, NOW + PATIENCE + 1).status == 401


def test_another_users_challenge_is_not_ours(world):
    request, asked = world.challenged()
    rand, autn, _ = digest.parse_nonce(asked.nonce)
    res = world.card.authenticate(rand, autn).res
    response = world.bsf.receive(terminal.answer(request, asked, "mallory@x", res, cnonce="c"), NOW)
    assert response.status == 403 and b"no vector" in response.body


def test_qop_and_uri_are_held_to(world):
    for change in ({"uri": "/other"}, {"qop": "auth"}, {"qop": None}):
        request, asked = world.challenged()
        rand, autn, _ = digest.parse_nonce(asked.nonce)
        answer = terminal.answer(
            request, asked, world.impi, world.card.authenticate(rand, autn).res, cnonce="c"
        )
        given = Credentials.parse(answer.get("Authorization")).having(**change)
        assert world.bsf.receive(answer.having("Authorization", str(given)), NOW).status == 403


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(None, 400), ("", 400), ("Digest", 400), ("Basic eA==", 400), ('Digest username="a", realm="b"', 400)],
)
def test_bad_requests_on_ub(world, authorization, status):
    headers = () if authorization is None else (("Authorization", authorization),)
    assert world.bsf.receive(Request("GET", "/", headers=headers), NOW).status == status


def test_ub_knows_get_only(world):
    assert world.bsf.receive(Request("POST", "/"), NOW).status == 405


def test_keys_expire(world):
    info, password = world.bootstrap()
    assert world.visit(info.b_tid, password, NOW + 599)[1].status == 200
    _, response = world.visit(info.b_tid, password, NOW + 600)
    assert response.status == 401 and b"expired" in response.body
    _, response = world.visit(info.b_tid, password, NOW + 600)
    assert b"no such B-TID" in response.body


def test_a_wrong_b_tid_and_a_wrong_key(world):
    info, password = world.bootstrap()
    _, response = world.visit("AAAA@" + BSF, password)
    assert response.status == 401 and b"no such B-TID" in response.body
    _, response = world.visit(info.b_tid, b"a guess")
    assert response.status == 403 and b"not the one" in response.body


def test_a_nafs_key_is_its_own(world):
    info, password = world.bootstrap()
    other = Naf("bank.example.com", world.bsf.keys, page, random=octets())
    request = terminal.get("bank.example.com", "/", terminal.AGENT)
    asked = terminal.challenge(other.receive(request, NOW), other.realm)
    request = terminal.answer(request, asked, info.b_tid, password, cnonce="c")
    assert other.receive(request, NOW).status == 403
    one, two = (world.bsf.keys(info.b_tid, gba.naf_id(name), NOW).ks_naf for name in (SHOP, "b"))
    assert one != two and gba.password(one).encode() == password


def test_an_answer_works_once_and_a_nonce_dies(world):
    info, password = world.bootstrap()
    request, response = world.visit(info.b_tid, password)
    assert response.status == 200
    assert world.naf.receive(request, NOW).status == 403
    late = world.naf.receive(request, NOW + NONCE_LIFETIME + 1)
    assert late.status == 401 and terminal.challenge(late, world.naf.realm).stale


def test_a_changed_page_is_not_believed(world):
    info, password = world.bootstrap()
    request, response = world.visit(info.b_tid, password)
    with pytest.raises(WrongResponse, match="rspauth"):
        terminal.believe(request, replace(response, body=b"<p>another page</p>"), password)
    with pytest.raises(WrongResponse, match="rspauth"):
        terminal.believe(request, replace(response, headers=()), password)


def test_gba_u_has_a_key_that_only_the_card_and_the_naf_know(world):
    info, _ = world.bootstrap()
    identifier = gba.naf_id(SHOP)
    assert world.bsf.keys(info.b_tid, identifier, NOW).ks_int_naf is None
    world.bsf.gba_u.add(world.impi)
    keys = world.bsf.keys(info.b_tid, identifier, NOW)
    assert len(keys.ks_int_naf) == 32 and keys.ks_int_naf != keys.ks_naf
    assert keys.ks_naf.hex() not in repr(keys) and str(keys.ks_naf) not in repr(keys)


def test_a_naf_that_wants_the_cards_own_key(world):
    info, password = world.bootstrap()
    inner = Naf(SHOP, world.bsf.keys, page, random=octets(), internal=True)
    request = terminal.get(SHOP, "/", terminal.AGENT)
    response = inner.receive(request, NOW)
    with pytest.raises(GbaFailed, match="applet"):
        terminal.challenge(response, world.naf.realm)
    asked = terminal.challenge(response, "3GPP-bootstrapping-uicc@" + SHOP)
    refused = inner.receive(terminal.answer(request, asked, info.b_tid, password, cnonce="c"), NOW)
    assert refused.status == 403 and b"GBA_U" in refused.body
    world.bsf.gba_u.add(world.impi)
    asked = terminal.challenge(inner.receive(request, NOW), inner.realm)
    key = world.bsf.keys(info.b_tid, inner.naf_id, NOW).ks_int_naf
    given = terminal.answer(request, asked, info.b_tid, gba.password(key).encode(), cnonce="c")
    assert inner.receive(given, NOW).status == 200


def test_the_terminal_does_not_answer_for_another_realm(world):
    response = world.naf.receive(terminal.get(SHOP, "/", "x"), NOW)
    with pytest.raises(GbaFailed, match="realm"):
        terminal.challenge(response, "3GPP-bootstrapping@bank.example.com")
    with pytest.raises(GbaFailed, match="200"):
        terminal.challenge(Response(200), "r")
    with pytest.raises(GbaFailed, match="cannot be read"):
        terminal.challenge(Response(401), "r")


def test_bootstrapping_info_both_ways():
    info = BootstrappingInfo("I1U8vpY3qJ0hiuZNrke/NQ==@bsf", NOW)
    assert info.lifetime == "2027-01-15T08:00:00Z"
    assert BootstrappingInfo.parse(info.to_xml()) == info
    offset = info.to_xml().replace(b"T08:00:00Z", b"T13:00:00+05:00")
    assert BootstrappingInfo.parse(offset).expires == NOW


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<BootstrappingInfo/>",
        b"<btid>a</btid><lifetime>2027-01-15T08:00:00Z</lifetime>",
        b"<BootstrappingInfo><btid>a</btid><lifetime>soon</lifetime></BootstrappingInfo>",
        b"<BootstrappingInfo><btid>&x;</btid><lifetime>2027-01-15T08:00:00Z</lifetime>",
        b"<BootstrappingInfo>" + b" " * 5000,
        b"\xff\xfe",
    ],
)
def test_other_bodies_are_no_bootstrapping_info(body):
    with pytest.raises(Malformed):
        BootstrappingInfo.parse(body)


def test_a_challenge_without_auth_int_is_not_answered():
    offer = 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
    with pytest.raises(GbaFailed, match="auth-int"):
        terminal.challenge(Response(401, headers=(("WWW-Authenticate", offer),)), "r")


def test_the_oldest_challenges_and_nonces_make_room(world, monkeypatch):
    monkeypatch.setattr("imslab.ims.bsf.MOST", 3)
    monkeypatch.setattr("imslab.ims.naf.MOST", 3)
    for _ in range(5):
        world.challenged()
        world.naf.receive(Request("GET", "/"), NOW)
    assert (len(world.bsf._waiting), len(world.naf._nonces)) == (3, 3)


values = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=30)
names = st.sampled_from(["username", "uri", "nc", "cnonce", "qop", "response", "auts", "algorithm", "nonce"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(changes=st.dictionaries(names, values, max_size=4))
def test_whatever_is_asked_gets_an_answer(world, changes):
    asked = world.challenged()[1]
    offer = terminal.challenge(world.naf.receive(Request("GET", "/"), NOW), world.naf.realm)
    for machine, realm, nonce in ((world.bsf, BSF, asked.nonce), (world.naf, world.naf.realm, offer.nonce)):
        said = {"username": world.impi, "uri": "/", "qop": "auth-int", "nc": "00000001", "cnonce": "c"}
        said |= {"realm": realm, "nonce": nonce, "response": "0" * 32} | changes
        row = "Digest " + ", ".join(f'{name}="{value}"' for name, value in said.items())
        request = Request("GET", "/", headers=(("Authorization", row),))
        assert machine.receive(request, NOW).status in (400, 401, 403)
