"""The doctor on a capture: each kind of frame, by a key and without one; what does not fit is found."""

from typing import Any

import pytest

from imslab.aka import generate_auts, generate_vector
from imslab.aka.digest import nonce_for, rspauth
from imslab.aka.doctor import Result
from imslab.capture import open_capture
from imslab.capture.doctor import CaptureDoctor, Examined, Subscriber
from imslab.data import path, profile_path
from imslab.errors import Malformed
from imslab.uicc import Profile

KEYS = {"k": bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")}
KEYS["opc"] = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
ALICE = Subscriber.of_profile(Profile.load(profile_path("alice")))
BOB = Subscriber.of_profile(Profile.load(profile_path("bob")))


def doctor(login: Any, *subscribers: Subscriber) -> CaptureDoctor:
    return CaptureDoctor(open_capture(login.octets), subscribers)


def of_trace(name: str, *subscribers: Subscriber) -> CaptureDoctor:
    return CaptureDoctor(open_capture(path("traces", f"{name}.pcapng")), subscribers)


def checks(examined: Examined) -> dict[str, Result]:
    return {check.name: check.result for check in examined.diagnosis.checks}


def codes(examined: Examined) -> list[str]:
    return [cause.code for cause in examined.diagnosis.causes]


RIGHT, OPEN, WRONG = Result.RIGHT, Result.OPEN, Result.WRONG


@pytest.mark.parametrize(
    ("frame", "by_key", "without"),
    [
        (46, {"MAC-A": RIGHT, "RES": RIGHT, "CK and IK": RIGHT}, {"RES": RIGHT, "CK and IK": RIGHT}),
        (47, {"MAC-A": RIGHT, "CK and IK": RIGHT}, {"CK and IK": RIGHT}),
        (48, {"MAC-A": RIGHT}, {}),
        (49, {"MAC-A": RIGHT, "RES": RIGHT, "CK and IK": RIGHT}, {"RES": RIGHT, "CK and IK": RIGHT}),
        (50, {"MAC-A": RIGHT, "RES": RIGHT, "CK and IK": RIGHT}, {"RES": RIGHT, "CK and IK": RIGHT}),
        (51, {"MAC-A": RIGHT, "response": RIGHT}, {"response": RIGHT}),
        (58, {"MAC-A": RIGHT, "response": RIGHT}, {"response": RIGHT}),
    ],
    ids=["MAA", "401 with ck and ik", "401", "AUTHENTICATE", "GET RESPONSE", "REGISTER", "200"],
)
@pytest.mark.parametrize("trace", ["register-akav1", "register-akav2"])
def test_every_kind_of_frame(
    trace: str, frame: int, by_key: dict[str, Result], without: dict[str, Result]
) -> None:
    examined = of_trace(trace, ALICE, BOB).frame(frame)
    assert (checks(examined), examined.source) == (by_key, "key")
    told = of_trace(trace).frame(frame)
    assert checks(told) == {"MAC-A": OPEN} | without
    assert told.source == ("Cx" if frame in (49, 50) else "card")
    assert told.result is (RIGHT if without else OPEN)


@pytest.mark.parametrize("trace", ["register-akav1", "register-akav2", "register-resync", "faulty-network"])
def test_a_network_in_which_the_numbers_are_right(trace: str) -> None:
    survey = of_trace(trace, ALICE, BOB).survey()
    assert survey.first_wrong is None and not survey.strangers and not survey.closed
    assert {one.exhibit.kind for one in survey.examined} == {"SIP", "APDU", "Cx"}
    assert str(survey).startswith("All that could be checked fits.")


def test_a_resynchronisation() -> None:
    found = of_trace("register-resync", ALICE)
    for frame in (68, 69, 73):
        assert checks(found.frame(frame))["AUTS"] is RIGHT


def test_a_repeated_answer_is_judged_as_the_one_that_it_repeats() -> None:
    again = of_trace("register-resync", ALICE).frame(59)
    assert again.result is RIGHT and "answer of frame 51, repeated" in again.exhibit.what


def test_the_forged_challenge_is_found() -> None:
    wrong = of_trace("card-session", ALICE).survey().first_wrong
    assert wrong is not None and wrong.exhibit.frame == 46
    assert checks(wrong) == {"MAC-A": WRONG}
    assert "9862" in str(wrong)


def test_a_card_that_refuses_a_right_mac_has_another_key(login: Any) -> None:
    from imslab.uicc import apdu, gsmtap

    command = apdu.authenticate(login.vector.rand, login.vector.autn)
    login.trace.apdu(login.now, 0.01, "127.0.0.2", "127.0.0.3", gsmtap.encode_exchange(command, b"\x98\x62"))
    examined = doctor(login, Subscriber(KEYS)).frame(1)
    assert checks(examined) == {"MAC-A": RIGHT, "card": WRONG}


def test_the_cause_of_a_wrong_answer(login: Any) -> None:
    login.register(1, login.first())
    login.challenge(1)
    login.algorithm = "AKAv1-MD5"
    login.register(2, login.answer().replace("algorithm=AKAv1-MD5", "algorithm=AKAv2-MD5"))
    survey = doctor(login, Subscriber(KEYS)).survey()
    wrong = [(one.exhibit.what.split()[0], codes(one)) for one in survey.examined if not one.diagnosis.ok]
    assert wrong == [
        ("401", ["ck-ik-not-derived"]),
        ("REGISTER:", ["akav1-password-under-akav2"]),
        ("REGISTER:", ["akav1-password-under-akav2"]),
    ]
    assert "WRONG" in str(doctor(login, Subscriber(KEYS)).survey())


def test_the_dialog_says_what_else_may_have_been_hashed(login: Any) -> None:
    """AUTS for the RAND of the challenge before: only the capture knows that one."""
    login.challenge(1)
    auts = generate_auts(login.m, login.vector.rand, bytes(6))
    login.vector = generate_vector(login.m, bytes(range(16)), bytes.fromhex("ff9bb4d0b720"))
    login.nonce = nonce_for(login.vector.rand, login.vector.autn)
    login.challenge(2)
    login.register(3, login.answer(auts=auts))
    survey = doctor(login, Subscriber(KEYS)).survey()
    assert [codes(one) for one in survey.examined if "auts" in one.exhibit.what] == [["auts-other-rand"]] * 2


def test_the_proof_of_the_network_covers_no_method(login: Any) -> None:
    login.register(2, login.answer())
    v, said = login.vector, {"username": login.answer().split('"')[1], "nonce": login.nonce}
    home = said["username"].partition("@")[2]
    said |= {"realm": home, "uri": f"sip:{home}", "qop": "auth", "nc": "00000001", "cnonce": "c"}
    proof = rspauth(login.algorithm, **said, res=v.xres, ck=v.ck, ik=v.ik)
    for text in (proof, proof[::-1]):
        row = f'Authentication-Info: qop=auth, rspauth="{text}", cnonce="c", nc=00000001'
        login.hop(login.head("SIP/2.0 200 OK", 2, row), "127.0.0.10", "127.0.0.2")
    found = doctor(login, Subscriber(KEYS))
    assert [found.frame(frame).result for frame in (3, 4)] == [RIGHT, WRONG]


def test_a_key_of_one_subscriber_says_nothing_of_another() -> None:
    survey = of_trace("register-akav2", Subscriber(KEYS)).survey()
    assert survey.first_wrong is None
    assert {one.exhibit.impi[:15] for one in survey.strangers} == {"001010000000002"}
    assert "another subscriber's" in str(survey)


def test_a_profile_of_another_leaves_the_capture_to_tell() -> None:
    assert of_trace("register-akav1", BOB).frame(51).source == "card"


def test_a_wrong_key_is_wrong_everywhere_and_the_misreading_is_named() -> None:
    swapped = Subscriber({"k": KEYS["k"], "op": KEYS["opc"]})
    wrong = of_trace("register-akav1", swapped).survey().first_wrong
    assert wrong is not None and codes(wrong) == ["opc-given-as-op"]


def test_the_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imslab.capture.doctor._MOST_WRONG", 2)
    survey = of_trace("register-akav1", Subscriber({"k": bytes(16), "opc": bytes(16)})).survey()
    assert (len(survey.examined), len(survey.closed)) == (2, 6)
    assert "--frame" in survey.closed[0][1]


@pytest.mark.parametrize(
    ("trace", "frame", "words"),
    [
        ("register-akav1", 59, "there is no frame 59; the capture has 58"),
        ("register-akav1", 0, "there is no frame 0"),
        ("register-akav1", 5, "nothing of AKA in it; expected one of 46, 47, 48, 49, 50, 51, 52, 57, 58"),
        ("card-session", 46, "no key was given.*AMF 0000"),
    ],
)
def test_what_cannot_be_examined(trace: str, frame: int, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        of_trace(trace).frame(frame)


def test_nothing_to_examine(login: Any) -> None:
    login.register(1, login.first())
    with pytest.raises(Malformed, match="nothing of AKA in this capture"):
        doctor(login).survey()
    with pytest.raises(Malformed, match="no key was given"):
        of_trace("card-session").survey()


def test_a_nonce_that_is_none_is_said(login: Any) -> None:
    login.nonce = "AAAA"
    login.challenge(1)
    with pytest.raises(Malformed, match=r"frame 1: .*nonce"):
        doctor(login, Subscriber(KEYS)).frame(1)


def test_no_secret_is_shown(login: Any) -> None:
    login.whole()
    secrets = [KEYS["k"], KEYS["opc"], login.vector.xres, login.vector.ck, login.vector.ik]
    for subscribers in ((Subscriber(KEYS),), ()):
        found = doctor(login, *subscribers)
        survey = found.survey()
        said = repr([*found.exhibits, *survey.examined, *subscribers]) + str(survey)
        said += "".join(f"{one}{one._repr_html_()}" for one in survey.examined)
        assert not any(secret.hex() in said or repr(secret) in said for secret in secrets)
    revealed = CaptureDoctor(open_capture(login.octets), [Subscriber(KEYS)], reveal=True)
    assert login.vector.xres.hex() in str(revealed.frame(8))
