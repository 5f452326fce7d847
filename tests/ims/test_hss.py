"""The HSS: TS 29.228, 6.1 to 6.3, and what a killed core must not forget."""

from dataclasses import replace

import pytest

from imslab.aka import SqnArray, authenticate, generate_auts, open_autn
from imslab.data import profile_path
from imslab.errors import ImslabError, Malformed
from imslab.ims import Hss, cx
from imslab.uicc.profile import Profile


@pytest.fixture
def alice():
    return Profile.load(profile_path("alice"))


def rand(octets):
    return b"\x5a" * octets


def ask_vector(hss, profile, authorization=b"", now=0.0):
    request = cx.MultimediaAuthRequest(profile.impu[0], profile.impi, "sip:scscf", authorization)
    return hss.ask(request, now)


def sqn_of(hss, profile, now=0.0):
    vector = ask_vector(hss, profile, now=now).vector
    return int.from_bytes(open_autn(profile.functions, vector.rand, vector.autn))


def test_a_vector_is_what_the_card_accepts(alice):
    hss = Hss(random=rand)
    hss.add(alice)
    vector = ask_vector(hss, alice).vector
    answer, _ = authenticate(alice.functions, SqnArray(delta=None), vector.rand, vector.autn)
    assert (answer.res, answer.ck, answer.ik) == (vector.xres, vector.ck, vector.ik)
    assert vector.rand == rand(16)


def test_to_add_one_of_many_takes_no_look_at_all_of_them(alice):
    """Provisioning 100,000 subscribers is 100,000 times one."""
    hss = Hss(random=rand)
    queries = ("DELETE FROM identity WHERE impi = ?", "SELECT impi FROM identity WHERE impu = ?")
    for query in queries:
        plan = hss._db.execute(f"EXPLAIN QUERY PLAN {query}", ("x",)).fetchall()
        assert "SEARCH" in plan[0][3] and "SCAN" not in plan[0][3]


def test_each_sqn_is_higher_also_after_a_restart(alice, tmp_path):
    path = str(tmp_path / "hss.db")
    seen = []
    for _ in range(3):
        hss = Hss(path, random=rand)
        hss.add(alice)
        seen += [sqn_of(hss, alice) >> 5 for _ in range(3)]
        hss.close()
    assert seen == list(range(1, 10))


def test_a_kill_between_saving_and_sending_loses_a_number_but_repeats_none(alice, tmp_path):
    path = str(tmp_path / "hss.db")
    first = Hss(path, random=rand)
    first.add(alice)
    given = sqn_of(first, alice)
    second = Hss(path, random=rand)  # the first one was never closed
    assert sqn_of(second, alice) >> 5 == (given >> 5) + 1


def test_resynchronisation_goes_above_the_card(alice):
    hss = Hss(random=rand)
    hss.add(alice)
    sqn_ms = (777 << 5 | 9).to_bytes(6)
    auts = generate_auts(alice.functions, rand(16), sqn_ms)
    answer = ask_vector(hss, alice, rand(16) + auts)
    sqn = open_autn(alice.functions, answer.vector.rand, answer.vector.autn)
    assert int.from_bytes(sqn) >> 5 == 778


@pytest.mark.parametrize(
    "spoil", [lambda a: a[:-1] + bytes([a[-1] ^ 1]), lambda a: a[:-1], lambda a: a + b"x"]
)
def test_a_wrong_auts_changes_nothing(alice, spoil):
    hss = Hss(random=rand)
    hss.add(alice)
    auts = generate_auts(alice.functions, rand(16), (777 << 5).to_bytes(6))
    assert ask_vector(hss, alice, rand(16) + spoil(auts)).result is cx.Result.UNABLE_TO_COMPLY
    assert sqn_of(hss, alice) >> 5 == 1


@pytest.mark.parametrize("scheme", ["counter", "time", "partly-time"])
def test_all_schemes_of_annex_c_count_up(alice, scheme, tmp_path):
    path = str(tmp_path / "hss.db")
    hss = Hss(path, random=rand)
    hss.add(alice, scheme=scheme)
    seqs = [sqn_of(hss, alice, now=1.7e9 + step) >> 5 for step in (0, 0, 1, 5, 4)]
    assert seqs == sorted(set(seqs))
    if scheme == "time":
        assert seqs[0] == 17_000_000_000  # GLC in units of 0.1 s
    again = Hss(path, random=rand)
    assert sqn_of(again, alice, now=1.7e9) >> 5 > seqs[-1]


def test_amf_is_the_subscribers(alice):
    hss = Hss(random=rand)
    hss.add(alice, amf=b"\x80\x00")
    assert ask_vector(hss, alice).vector.amf == b"\x80\x00"


def test_who_owns_what(alice):
    hss = Hss(random=rand)
    hss.add(alice)
    bob = replace(alice, imsi="001010000000002", impi="", impu=(), name="bob", iccid="")
    hss.add(bob)

    def uar(impu, impi):
        return hss.ask(cx.UserAuthorizationRequest(impu, impi, "visited"), 0.0)

    assert uar(alice.impu[0], alice.impi).result is cx.Result.SUCCESS
    assert uar(alice.impu[0], None).impi == alice.impi
    assert uar(alice.impu[0], bob.impi).result is cx.Result.IDENTITIES_DONT_MATCH
    assert uar("sip:nobody@example", None).result is cx.Result.USER_UNKNOWN
    assert uar(alice.impu[0], "nobody@example").result is cx.Result.USER_UNKNOWN
    assert ask_vector(hss, replace(alice, impi="nobody@example")).result is cx.Result.USER_UNKNOWN


def test_assignment_gives_the_registration_set_and_remembers_the_server(alice):
    hss = Hss(random=rand)
    hss.add(alice)
    request = cx.ServerAssignmentRequest(alice.impu[0], alice.impi, "sip:s", cx.Assignment.REGISTRATION)
    assert hss.ask(request, 0.0).impus == alice.impu
    assert hss.subscriber(alice.impi).server == "sip:s"
    hss.ask(replace(request, assignment=cx.Assignment.USER_DEREGISTRATION), 0.0)
    assert hss.subscriber(alice.impi).server == ""


def test_keys_stay_out_of_sight(alice):
    hss = Hss(random=rand)
    added = hss.add(alice)
    assert alice.k.hex() not in repr(added)
    assert "xres" not in repr(ask_vector(hss, alice))


def test_bad_input_is_named(alice, tmp_path):
    hss = Hss(random=rand)
    with pytest.raises(Malformed, match="MD5 is no AKA algorithm"):
        hss.add(alice, algorithms=("MD5",))
    with pytest.raises(Malformed, match="unknown SQN scheme"):
        hss.add(alice, scheme="dice")
    with pytest.raises(Malformed, match="amf must be 2 octets"):
        hss.add(alice, amf=b"")
    path = tmp_path / "no.db"
    path.write_bytes(b"this is no database, but text" * 50)
    with pytest.raises(ImslabError, match="not usable as subscriber database"):
        Hss(str(path), random=rand)
    with pytest.raises(ImslabError, match="not usable"):
        Hss(str(tmp_path / "absent" / "hss.db"), random=rand)


def test_which_server_serves_the_one_who_is_called(alice):
    """LIR/LIA (TS 29.228, 6.1.4): every identity of the subscription is found at the same S-CSCF."""
    hss = Hss(random=rand)
    hss.add(alice)
    assert hss.ask(cx.LocationInfoRequest("sip:nobody@x"), 0).result is cx.Result.USER_UNKNOWN
    for impu in alice.impu:
        assert hss.ask(cx.LocationInfoRequest(impu), 0) == cx.LocationInfoAnswer(cx.Result.SUCCESS, "")
    registration = cx.ServerAssignmentRequest(alice.impu[0], alice.impi, "sip:s", cx.Assignment.REGISTRATION)
    hss.ask(registration, 0)
    for impu in alice.impu:
        assert hss.ask(cx.LocationInfoRequest(impu), 0).server == "sip:s"
