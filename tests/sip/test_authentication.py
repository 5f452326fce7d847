"""Challenges and credentials: several in a row, quotes before commas; what peers accept is written."""

import pytest

from imslab.errors import Malformed
from imslab.sip import AuthenticationInfo, Challenge, Credentials, Message

CHALLENGE = 'Digest realm="r", nonce="a,b=", qop="auth,auth-int", algorithm=AKAv2-MD5, stale=FALSE, opaque=""'


def test_challenge_fields() -> None:
    c = Challenge.parse(CHALLENGE)
    assert (c.scheme, c.realm, c.nonce, c.algorithm, c.opaque) == ("Digest", "r", "a,b=", "AKAv2-MD5", "")
    assert c.qop == ("auth", "auth-int")
    assert c.stale is False
    assert c.is_digest
    assert c.domain is None
    assert Challenge.parse("Digest stale=TRUE").stale is True
    assert Challenge.parse("Digest realm=x").qop == ()
    assert Challenge.parse("Digest realm=x").algorithm is None
    assert Challenge.parse("Digest realm=x").nonce == ""


@pytest.mark.parametrize(
    "text",
    [
        'Digest realm="r",nonce="n",algorithm=MD5',
        'Digest  realm = "r" ,\tnonce="n"  , algorithm = MD5',
        'digest Realm="r", NONCE="n", Algorithm="MD5"',
        "DIGEST realm=r, nonce=n, algorithm=MD5",
        r'Digest realm="\r", nonce="n", algorithm=MD5',
    ],
)
def test_spacing_case_and_quotes_do_not_matter(text: str) -> None:
    c = Challenge.parse(text)
    assert (c.realm, c.nonce, c.algorithm, c.is_digest) == ("r", "n", "MD5", True)


def test_several_challenges_in_one_row_and_in_several() -> None:
    row = f'{CHALLENGE}, Negotiate, Basic realm="a, Digest b=", NTLM TlRMTVNTUAAB==, Digest realm="s"'
    m = Message.parse(
        f"SIP/2.0 401 No\r\nWWW-Authenticate: {row}\r\nwww-authenticate: Digest realm=t\r\n\r\n".encode()
    )
    found = m.www_authenticate
    assert [c.scheme for c in found] == ["Digest", "Negotiate", "Basic", "NTLM", "Digest", "Digest"]
    assert [c.realm for c in found] == ["r", "", "a, Digest b=", "", "s", "t"]
    assert found[3].token68 == "TlRMTVNTUAAB=="
    assert [str(c) for c in found[1:4]] == ["Negotiate", 'Basic realm="a, Digest b="', "NTLM TlRMTVNTUAAB=="]


@pytest.mark.parametrize(
    "text",
    [
        "",
        'realm="r"',
        'Digest realm="r", realm="s"',
        'Digest realm="r", Realm="s"',
        'Digest realm="r" nonce="n"',
        'Digest realm="r"x',
        "Digest realm=",
        'Digest realm="r",',
        'Digest realm="r",,nonce=n',
        "Digest =r",
        "Digest a b",
        'Digest realm="r',
        ", Digest realm=r",
        "Basic abc==, realm=r",
        "Negotiate abc==, realm=r",
        "Digest realm=r s",
    ],
)
def test_bad_challenges(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        Challenge.parse(text)
    assert (
        "realm" not in str(caught.value)
        or "stands twice" in str(caught.value)
        or "scheme name" in str(caught.value)
    )


def test_one_is_asked_for() -> None:
    with pytest.raises(Malformed, match="2 challenges"):
        Challenge.parse("Digest realm=a, Digest realm=b")
    assert len(Challenge.parse_all("Digest realm=a, Digest realm=b")) == 2


FIRST = 'Digest username="a@b", realm="b", nonce="", uri="sip:b", response=""'
SECOND = (
    'Digest username="a@b", realm="b", nonce="bm9u/+w==", uri="sip:b;x=1,2", response="00ff", '
    "algorithm=AKAv1-MD5, "
    'qop=auth, nc=00000001, cnonce="x\\"y", auts="5PYxMuX2NOT2Eg==", opaque="o", '
    'integrity-protected="yes", ik="0a", ck="0b"'
)


def test_the_first_register_has_empty_values() -> None:
    c = Credentials.parse(FIRST)
    assert (c.username, c.nonce, c.response, c.uri, c.qop, c.cnonce) == ("a@b", "", "", "sip:b", None, None)
    assert str(c) == FIRST
    assert c.params["nonce"] == ""


def test_credentials_fields() -> None:
    c = Credentials.parse(SECOND)
    assert (c.nonce, c.uri, c.response, c.algorithm) == ("bm9u/+w==", "sip:b;x=1,2", "00ff", "AKAv1-MD5")
    assert (c.qop, c.nc, c.cnonce, c.auts, c.opaque) == ("auth", "00000001", 'x"y', "5PYxMuX2NOT2Eg==", "o")
    assert (c.integrity_protected, c.ik, c.ck) == ("yes", "0a", "0b")
    assert str(c) == SECOND


def test_what_is_quoted_and_what_is_not() -> None:
    challenge = Challenge.digest(
        realm="r",
        nonce="n",
        algorithm="MD5",
        qop=("auth", "auth-int"),
        stale=True,
        opaque="o",
        ck="1",
        ik="2",
    )
    assert str(challenge) == (
        'Digest realm="r", nonce="n", algorithm=MD5, opaque="o", ck="1", ik="2", '
        'qop="auth,auth-int", stale=true'
    )
    assert Challenge.digest(realm="r", nonce="n", opaque=None).params == {"realm": "r", "nonce": "n"}
    credentials = Credentials.digest(
        username="u",
        realm="r",
        nonce="n",
        uri="sip:r",
        response="f",
        algorithm="MD5",
        cnonce="c",
        qop="auth",
        nc="00000001",
        opaque="o",
        auts="a",
        integrity_protected="no",
    )
    assert str(credentials) == (
        'Digest username="u", realm="r", nonce="n", uri="sip:r", response="f", algorithm=MD5, '
        'cnonce="c", qop=auth, '
        'nc=00000001, opaque="o", auts="a", integrity-protected="no"'
    )
    assert str(Credentials.parse('Digest algorithm="MD5", qop="auth", nc="1", x="q", y=z')) == (
        'Digest algorithm=MD5, qop=auth, nc=1, x="q", y=z'
    )


def test_edits() -> None:
    c = Credentials.parse(SECOND).without("ck", "ik").having(integrity_protected="no")
    assert (c.ck, c.ik, c.integrity_protected) == (None, None, "no")


def test_keys_are_not_shown() -> None:
    for value in (Credentials.parse(SECOND), Challenge.parse('Digest ck="0b", ik="0a"')):
        assert "0b" not in repr(value)
        assert "0a" not in repr(value)
    assert "realm" in repr(Challenge.parse(CHALLENGE))


def test_authentication_info() -> None:
    text = 'nextnonce="n", qop=auth, rspauth="00", cnonce="c", nc=00000001'
    info = AuthenticationInfo.parse(text)
    assert (info.nextnonce, info.qop, info.rspauth, info.cnonce, info.nc) == (
        "n",
        "auth",
        "00",
        "c",
        "00000001",
    )
    assert str(info) == text
    assert str(AuthenticationInfo.of(nextnonce="n", qop=None)) == 'nextnonce="n"'
    m = Message.parse(f"SIP/2.0 200 OK\r\nAuthentication-Info: {text}\r\n\r\n".encode())
    assert m.authentication_info == info
    for bad in ("", "a", 'a="', "a=1, a=2", "a=1,,b=2"):
        with pytest.raises(Malformed):
            AuthenticationInfo.parse(bad)


def test_fast_and_slow_reading_agree() -> None:
    # A second scheme takes the way element by element.
    for text in (CHALLENGE, FIRST, SECOND):
        alone, first, _ = *Challenge.parse_all(text), *Challenge.parse_all(f"{text}, Negotiate")
        assert alone == first
        assert list(alone.params) == list(first.params)


def test_what_an_answer_says_of_itself() -> None:
    given = Credentials.parse(
        'Digest username="a", realm="r", nonce="n", uri="sip:r", response="x", qop=auth, nc=00000001, '
        'cnonce="c"'
    )
    assert given.arguments == {
        "username": "a", "realm": "r", "nonce": "n", "uri": "sip:r",
        "qop": "auth", "nc": "00000001", "cnonce": "c",
    }  # fmt: skip
    bare = Credentials.parse('Digest username="a", nonce="n", response="x"')
    assert (bare.arguments["qop"], bare.arguments["realm"]) == (None, "")
