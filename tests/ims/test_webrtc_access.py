"""A password and a token beside the card (TS 33.203, annex X): who gets in, and who does not."""

import pytest

from imslab.aka import digest
from imslab.data import profile_path
from imslab.errors import WrongResponse
from imslab.ims import Hss, Ue
from imslab.ims.home import PCSCF, SCSCF, UE
from imslab.ims.network import Network
from imslab.ims.node import Address
from imslab.ims.webrtc_access import AUTH_DONE, EnhancedPcscf, WebScscf, ha1
from imslab.lab import Seeded
from imslab.sip import Message
from imslab.uicc import Card, IsimClient, Profile

PASSWORD, TOKEN = "Circle of Life", "a token of the web server"
MALLORY = Address("127.0.0.66", 5060)


class World:
    """alice's home network; alice has a card, a password, and an account at the web server."""

    def __init__(self, profile, *, password=True):
        random = Seeded("web access")
        self.profile = profile
        self.hss = Hss(random=random)
        self.hss.add(profile)
        if password:
            self.hss.set_ha1(profile.impi, ha1(profile.impi, profile.domain, PASSWORD))
        self.scscf = WebScscf(SCSCF, profile.domain, self.hss.ask, random=random)
        self.pcscf = EnhancedPcscf(PCSCF, SCSCF, profile.domain, random=random, vouch=self.vouch)
        self.network = Network(self.pcscf, self.scscf)
        self.number = 0

    def vouch(self, token, now):
        if token != TOKEN:
            raise WrongResponse("nobody gave this token")
        return self.profile.impi

    def ask(self, authorization=None, source=UE, expires=600):
        self.number += 1
        rows = [
            ("Via", f"SIP/2.0/UDP {source.host};branch=z9hG4bK{self.number}"),
            ("Max-Forwards", "70"),
            ("From", f"<{self.profile.impu[0]}>;tag=1"),
            ("To", f"<{self.profile.impu[0]}>"),
            ("Call-ID", f"{self.number}"),
            ("CSeq", f"{self.number} REGISTER"),
            ("Contact", f"<sip:alice@{source.host}>;expires={expires}"),
        ]
        if authorization:
            rows.append(("Authorization", authorization))
        request = Message.request("REGISTER", f"sip:{self.profile.domain}", headers=rows)
        passed = self.network.inject(bytes(request), source, PCSCF)
        return Message.parse([one for one in passed if one.destination == source][-1].octets)

    def answer(self, response, password=PASSWORD, **changes):
        (challenge,) = response.www_authenticate
        said = {
            "username": self.profile.impi,
            "realm": challenge.realm,
            "nonce": challenge.nonce,
            "uri": f"sip:{self.profile.domain}",
            "qop": "auth",
            "nc": "00000001",
            "cnonce": "c",
            **changes,
        }
        value = digest.response("MD5", method="REGISTER", password=password, **said)
        quoted = ", ".join(f'{name}="{text}"' for name, text in said.items() if name not in ("qop", "nc"))
        return f'Digest {quoted}, qop={said["qop"]}, nc={said["nc"]}, response="{value}", algorithm=MD5'

    @property
    def is_registered(self):
        return self.scscf.registrar.by_impi(self.profile.impi) is not None


@pytest.fixture
def alice():
    return Profile.load(profile_path("alice"))


@pytest.fixture
def world(alice):
    return World(alice)


def test_sip_digest_with_the_password(world):
    first = world.ask()
    (challenge,) = first.www_authenticate
    assert (first.status, challenge.algorithm, challenge.qop) == (401, "MD5", ("auth",))
    done = world.ask(world.answer(first))
    assert done.status == 200 and world.is_registered
    expected = digest.rspauth(
        "MD5",
        uri=f"sip:{world.profile.domain}",
        username=world.profile.impi,
        realm=world.profile.domain,
        nonce=challenge.nonce,
        password=PASSWORD,
        qop="auth",
        nc="00000001",
        cnonce="c",
    )
    assert done.authentication_info.rspauth == expected  # the network proves that it knows H(A1)
    assert world.ask(world.answer(world.ask()), expires=0).status == 200
    assert not world.is_registered


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"username": "bob"}, {"realm": "elsewhere"}])
def test_a_wrong_password_name_or_realm(world, change):
    assert world.ask(world.answer(world.ask(), **change)).status == 403
    assert not world.is_registered


def test_an_answer_counts_once_and_not_for_long(world):
    answer = world.answer(world.ask())
    assert world.ask(answer).status == 200
    assert world.ask(answer, source=MALLORY).status == 401  # a replay gets another challenge: of AKA
    late = world.answer(world.ask())
    world.network.advance(world.scscf.policy.nonce_lifetime + 1)
    assert world.ask(late).status in (401, 403)


def test_the_form_of_rfc_2069_is_taken_too(world):
    first = world.ask()
    nonce, uri = first.www_authenticate[0].nonce, f"sip:{world.profile.domain}"
    said = {"username": world.profile.impi, "realm": world.profile.domain, "nonce": nonce, "uri": uri}
    value = digest.response("MD5", method="REGISTER", password=PASSWORD, **said)
    quoted = ", ".join(f'{name}="{text}"' for name, text in said.items())
    done = world.ask(f'Digest {quoted}, response="{value}"')
    assert done.status == 200 and done.authentication_info is None


def test_who_brings_authorization_is_asked_for_the_card(world):
    first = world.ask(
        f'Digest username="{world.profile.impi}", realm="x", nonce="", uri="sip:x", response=""'
    )
    assert [one.algorithm for one in first.www_authenticate] == ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"]


def test_who_has_no_password_is_asked_for_the_card(alice):
    world = World(alice, password=False)
    assert world.ask().www_authenticate[0].algorithm == "AKAv1-MD5"
    world.hss.set_ha1(alice.impi, ha1(alice.impi, alice.domain, PASSWORD))
    assert world.ask().www_authenticate[0].algorithm == "MD5"
    world.hss.set_ha1(alice.impi, "")
    assert world.ask().www_authenticate[0].algorithm == "AKAv1-MD5"


def test_a_token_of_the_web_server(world):
    assert world.ask(f'Bearer access_token="{TOKEN}"').status == 200
    assert world.is_registered
    (inside,) = [
        Message.parse(one.octets)
        for one in world.network.passed
        if one.destination == SCSCF and b"REGISTER sip" in one.octets
    ]
    (said,) = inside.authorization
    assert (said.username, said.integrity_protected) == (world.profile.impi, AUTH_DONE)
    assert TOKEN.encode() not in bytes(inside)  # it ends at the eP-CSCF


@pytest.mark.parametrize("authorization", ['Bearer access_token="another"', "Bearer x=y", "Bearer"])
def test_a_wrong_token_is_no_token(world, authorization):
    assert world.ask(authorization).status in (400, 401)
    assert not world.is_registered


def test_a_ue_cannot_say_that_it_was_authenticated(world):
    forged = (
        f'Digest username="{world.profile.impi}", realm="x", nonce="", uri="sip:x", response="", '
        f'integrity-protected="{AUTH_DONE}"'
    )
    assert world.ask(forged).status == 401
    assert not world.is_registered


def test_the_card_works_as_before(world):
    client = IsimClient(Card(world.profile))
    ue = Ue(client.read_profile(), Address("127.0.0.12", 5060), PCSCF, random=Seeded("ue"))
    world.network.add(ue, client)
    ue.register(0.0)
    world.network.run()
    assert ue.registered is not None and ue.registered.proven
    assert ue.registered.algorithm == "AKAv2-SHA-256"


def test_what_is_secret_is_not_shown(world):
    world.ask()
    known = ha1(world.profile.impi, world.profile.domain, PASSWORD)
    assert known not in repr(world.scscf._authenticator._waiting)
    from imslab.ims import cx

    asked = cx.MultimediaAuthRequest("", world.profile.impi, "", scheme=cx.PASSWORD_SCHEME)
    answer = world.hss.ask(asked, 0.0)
    assert answer.ha1 == known and known not in repr(answer)
