"""``imslab explain``: the AKA doctor on the command line. Why does this answer not match this challenge?

The numbers are options, or they stand in a capture: FILE, with --frame or without (`imslab.capture.doctor`).

Keys do not belong into the history of a shell: every key may also be given as ``@file`` (hex or base64 in
a file), or in the environment, as IMSLAB_K, IMSLAB_OPC and so on.
"""

import json as json_format
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imslab.errors import ImslabError

if TYPE_CHECKING:
    from imslab.aka.doctor import Diagnosis
    from imslab.capture.doctor import Examined, Subscriber, Survey

FROM_FILE = "@"
KEYS = ("k", "op", "opc", "top", "topc")
LARGEST_FILE = 100_000  # octets; a key, a header line or a small body

# What may be said beside a capture: the rest stands in it.
BESIDE_A_FILE = (*KEYS, "amf", "sqn", "res_length", "algorithm")
_NO_EVIDENCE = ("file", "frame", "profile", "reveal", "json")
_ANY_CHALLENGE = "00" * 16  # keys are read as part of evidence, and that has a challenge

Text = str | None


def explain(
    file: Annotated[Text, typer.Argument(metavar="[FILE]", help="a capture; - is stdin")] = None,
    frame: Annotated[
        int | None, typer.Option(help="frame of the capture; not given: the first that does not fit")
    ] = None,
    profile: Annotated[
        list[str] | None, typer.Option(help="profile of a subscriber, beside FILE; may stand several times")
    ] = None,
    nonce: Annotated[Text, typer.Option(help="nonce of the challenge (base64)")] = None,
    rand: Annotated[Text, typer.Option(help="RAND, instead of a nonce")] = None,
    autn: Annotated[Text, typer.Option(help="AUTN, instead of a nonce")] = None,
    challenge: Annotated[Text, typer.Option(help="a whole WWW-Authenticate line, or @file")] = None,
    realm: Annotated[Text, typer.Option(help="realm of the challenge")] = None,
    algorithm: Annotated[
        Text, typer.Option(help="AKAv1-MD5, AKAv2-MD5, AKAv2-SHA-256 ...; or milenage, tuak, xor")
    ] = None,
    digest_algorithm: Annotated[Text, typer.Option(help="AKAv1-MD5 ..., beside --algorithm tuak")] = None,
    response: Annotated[Text, typer.Option(help="response that was seen")] = None,
    auts: Annotated[Text, typer.Option(help="auts that was seen")] = None,
    res: Annotated[Text, typer.Option(help="RES that was seen, in an APDU or a vector")] = None,
    authorization: Annotated[Text, typer.Option(help="a whole Authorization line, or @file")] = None,
    username: Annotated[Text, typer.Option(help="username of the answer: the IMPI")] = None,
    uri: Annotated[Text, typer.Option(help="uri of the answer")] = None,
    method: Annotated[Text, typer.Option(help="method of the request (REGISTER)")] = None,
    qop: Annotated[Text, typer.Option(help="qop of the answer: auth, auth-int, or not given")] = None,
    nc: Annotated[Text, typer.Option(help="nc of the answer")] = None,
    cnonce: Annotated[Text, typer.Option(help="cnonce of the answer")] = None,
    body: Annotated[Text, typer.Option(help="body of the request, for auth-int; or @file")] = None,
    k: Annotated[Text, typer.Option(help="subscriber key, or @file")] = None,
    op: Annotated[Text, typer.Option(help="operator value OP, or @file")] = None,
    opc: Annotated[Text, typer.Option(help="OPc: OP bound to K, or @file")] = None,
    top: Annotated[Text, typer.Option(help="TUAK's TOP, or @file")] = None,
    topc: Annotated[Text, typer.Option(help="TUAK's TOPc, or @file")] = None,
    amf: Annotated[Text, typer.Option(help="AMF that is configured somewhere, 2 octets")] = None,
    sqn: Annotated[Text, typer.Option(help="highest SQN of the card, 6 octets")] = None,
    res_length: Annotated[Text, typer.Option(help="octets of RES, for TUAK and XOR")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="show RES, CK and IK too")] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say why an answer does not match a challenge: which number is wrong, and what to change.

    Of a capture (FILE): the frame that --frame names, or the first in which something of AKA does not fit.
    Octets are given in hex or base64. Keys stay out of the shell's history when they are given as
    @file (--k @k.hex), or in the environment (IMSLAB_K, IMSLAB_OP, IMSLAB_OPC, IMSLAB_TOP, IMSLAB_TOPC).
    """
    # The parameters are the options of from_text under the same names.
    given: dict[str, Text] = {name: value for name, value in locals().items() if name not in _NO_EVIDENCE}
    given |= {name: from_environment(name) for name in KEYS if given[name] is None}
    given |= {name: from_file(name, given[name]) for name in (*KEYS, "challenge", "authorization", "body")}
    if file is not None:
        _of_capture(file, frame, profile or [], given, reveal=reveal, json=json)
        return
    if frame is not None or profile:
        raise ImslabError(f"--{'profile' if frame is None else 'frame'} goes with a capture: give its FILE")

    from imslab.aka import doctor

    diagnosis = doctor.explain(doctor.from_text(**given), reveal=reveal)
    print(json_format.dumps(as_json(diagnosis), indent=2) if json else diagnosis)


def _of_capture(
    file: str, frame: int | None, profiles: list[str], given: dict[str, Text], *, reveal: bool, json: bool
) -> None:
    from imslab.capture import open_capture
    from imslab.capture.doctor import CaptureDoctor

    unwanted = next((name for name in given if given[name] is not None and name not in BESIDE_A_FILE), None)
    if unwanted is not None:
        raise ImslabError(f"--{unwanted.replace('_', '-')} stands in the capture: leave it out beside FILE")
    subscribers = _subscribers(profiles, {name: given[name] for name in BESIDE_A_FILE})
    capture = open_capture(sys.stdin.buffer if file == "-" else file)
    doctor = CaptureDoctor(capture, subscribers, reveal=reveal)
    if frame is None:
        _show_survey(doctor.survey(), json=json)
    else:
        _show(doctor.frame(frame), json=json)
    for warning in capture.warnings:
        print(f"imslab: warning: {warning}", file=sys.stderr)


def _subscribers(profiles: list[str], keys: Mapping[str, Text]) -> "list[Subscriber]":
    from imslab.aka import doctor
    from imslab.capture.doctor import Subscriber
    from imslab.uicc import Profile

    found = [Subscriber.of_profile(Profile.load(profile)) for profile in profiles]
    if any(keys.values()) and not (found and keys["k"] is None):
        found.append(
            Subscriber.of_evidence(doctor.from_text(**keys, rand=_ANY_CHALLENGE, autn=_ANY_CHALLENGE))
        )
    return found


def _show(examined: "Examined", *, json: bool) -> None:
    print(json_format.dumps(_examined_as_json(examined), indent=2) if json else examined)


def _show_survey(survey: "Survey", *, json: bool) -> None:
    wrong = survey.first_wrong
    if json:
        found = {
            "ok": wrong is None,
            "frames": [_line_as_json(one) for one in survey.examined],
            "left_out": [one.exhibit.frame for one in survey.strangers],
            "not_judged": [exhibit.frame for exhibit, _ in survey.closed],
            "first_wrong": wrong and _examined_as_json(wrong),
        }
        print(json_format.dumps(found, indent=2))
    else:
        print(survey if wrong is None else f"{wrong}\n{survey}")


def _examined_as_json(examined: "Examined") -> dict[str, object]:
    return _line_as_json(examined) | {"judged_by": examined.source} | as_json(examined.diagnosis)


def _line_as_json(examined: "Examined") -> dict[str, object]:
    exhibit = examined.exhibit
    places = {"frame": exhibit.frame, "frames": list(exhibit.frames), "kind": exhibit.kind}
    return places | {"what": exhibit.what, "impi": exhibit.impi, "result": examined.result.value}


def from_environment(key: str) -> Text:
    """Return what IMSLAB_K and so on say, or None."""
    return os.environ.get(f"IMSLAB_{key.upper()}") or None


def from_file(option: str, value: Text) -> Text:
    """Return ``value``, or for ``@file`` what the file says (``@-``: stdin), or raise ImslabError."""
    if value is None or not value.startswith(FROM_FILE):
        return value
    name = value.removeprefix(FROM_FILE)
    try:
        octets = sys.stdin.buffer.read(LARGEST_FILE + 1) if name == "-" else _read(Path(name))
        text = octets.decode("utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ImslabError(f"--{option}: cannot read {name}: {why}") from None
    if len(octets) > LARGEST_FILE:
        raise ImslabError(f"--{option}: {name} has more than {LARGEST_FILE} octets")
    return text if option == "body" else text.strip()


def as_json(diagnosis: "Diagnosis") -> dict[str, object]:
    """Return a diagnosis as JSON has it: octets in hex."""
    return {
        "ok": diagnosis.ok,
        "verdict": diagnosis.verdict,
        "challenge": {name: octets.hex() for name, octets in diagnosis.parts.items()},
        "checks": [
            {"name": check.name, "result": check.result.value, "detail": check.detail}
            for check in diagnosis.checks
        ],
        "computed": dict(diagnosis.values),
        "causes": [
            {"code": cause.code, "sentence": cause.sentence, "clause": cause.clause, "advice": cause.advice}
            for cause in diagnosis.causes
        ],
        "tried": list(diagnosis.tried),
    }


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LARGEST_FILE + 1)
