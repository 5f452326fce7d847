"""What a person types or pastes, made into Evidence: hex, base64, whole header lines.

Spec: RFC 7616, 3.3 and 3.4 (the directives of a challenge and of an answer); RFC 3310, 3 (nonce, auts).
"""

import base64
import binascii
from collections.abc import Iterable
from typing import TypeVar

from imslab.aka.algorithm import NAMES
from imslab.aka.doctor.evidence import Evidence
from imslab.errors import Malformed
from imslab.octets import unhex
from imslab.sip.authentication import Challenge, Credentials

_Header = TypeVar("_Header", Challenge, Credentials)

# option: the numbers of octets that it may have
_LENGTHS = {
    "rand": (16,),
    "autn": (16,),
    "k": (16, 32),
    "op": (16, 32),
    "opc": (16, 32),
    "top": (16, 32),
    "topc": (16, 32),
    "res": tuple(range(1, 65)),
    "amf": (2,),
    "sqn": (6,),
}
_NUMBERS = {
    "mac_length": (8, 32),
    "res_length": (4, 32),
    "ck_length": (16, 32),
    "ik_length": (16, 32),
    "iterations": (1, 255),
    "ind_length": (0, 16),
    "delta": (1, 2**48),
}
_TEXTS = ("nonce", "response", "method", "uri", "username", "realm", "qop", "nc", "cnonce", "auts")
_LISTS = ("uris", "realms", "usernames", "methods", "nonces", "rands")
_FROM_ANSWER = ("nonce", "response", "uri", "username", "realm", "qop", "nc", "cnonce", "auts")
_HEADERS = ("www-authenticate", "proxy-authenticate", "authorization", "proxy-authorization")

OPTIONS = (
    *_LENGTHS,
    *_NUMBERS,
    *_TEXTS,
    *_LISTS,
    "algorithm",
    "digest_algorithm",
    "body",
    "challenge",
    "authorization",
)


def from_text(**given: str | Iterable[str] | None) -> Evidence:
    """Return the Evidence that these options (see OPTIONS) make; None is an option that was not given.

    Octets are written in hex (blanks and colons allowed) or base64. ``algorithm`` is a digest algorithm
    ("AKAv2-MD5") or an AKA algorithm ("tuak"); ``digest_algorithm`` says the first beside the second.
    ``challenge`` is a WWW-Authenticate header line, ``authorization`` an Authorization line, with or without
    the header's name; an option that is given wins over them. ``uris`` and the other plural options take
    several texts, or one.
    Raises Malformed, which begins with the option's name, when a value is wrong.
    """
    options = {name: value for name, value in given.items() if value is not None}
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise Malformed(f"{_option(unknown[0])}: there is no such option", expected=", ".join(OPTIONS))
    lists = {name: _texts(name, options.pop(name)) for name in _LISTS if name in options}
    texts = {name: _text(name, value) for name, value in options.items()}
    headers = _from_headers(texts)
    return _evidence(headers | texts, lists | _disagreements(headers, texts, lists))


def _evidence(texts: dict[str, str], lists: dict[str, tuple[str, ...]]) -> Evidence:
    values: dict[str, object] = {name: texts[name] for name in _TEXTS if name in texts}
    values |= {name: _octets(name, texts[name]) for name in _LENGTHS if name in texts}
    values |= {name: _number(name, texts[name]) for name in _NUMBERS if name in texts}
    values |= _algorithms(texts)
    values |= lists
    if "rands" in lists:
        values["rands"] = tuple(_octets("rand", text, "rands") for text in lists["rands"])
    if "body" in texts:
        values["body"] = _body(texts["body"])
    if "nonce" not in values and "rand" not in values:
        raise Malformed(f"{_option('nonce')}: there is no challenge", expected="a nonce, or RAND and AUTN")
    if "k" not in values:
        raise Malformed(f"{_option('k')}: the subscriber key is missing", expected="32 hex digits")
    try:
        return Evidence(**values)  # type: ignore[arg-type]
    except Malformed as error:
        raise Malformed(f"{_blamed(str(error), texts)}: {error}") from None


def _blamed(message: str, texts: dict[str, str]) -> str:
    # The first option whose name the message says; a challenge that cannot be read is the nonce's.
    named = next((word.strip(":,") for word in message.split() if word.strip(":,") in OPTIONS), "nonce")
    return _option("algorithm" if "algorithm" in message and "algorithm" in texts else named)


def _from_headers(texts: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if "challenge" in texts:
        challenge = _parsed("challenge", texts["challenge"], Challenge)
        pairs = {"nonce": challenge.nonce, "realm": challenge.realm, "digest_algorithm": challenge.algorithm}
        found |= {name: value for name, value in pairs.items() if value}
        found |= {f"challenged {name}": found[name] for name in ("nonce", "realm") if name in found}
    if "authorization" in texts:
        answer = _parsed("authorization", texts["authorization"], Credentials)
        found |= {name: answer.params[name] or "" for name in _FROM_ANSWER if name in answer.params}
        if answer.algorithm:
            found["digest_algorithm"] = answer.algorithm
    return found


def _disagreements(
    headers: dict[str, str], texts: dict[str, str], lists: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    # What the challenge says and the answer does not repeat is a candidate for what was hashed.
    found: dict[str, tuple[str, ...]] = {}
    for name in ("nonce", "realm"):
        challenged = headers.get(f"challenged {name}")
        if challenged is not None and challenged != texts.get(name, headers.get(name)):
            found[f"{name}s"] = (*lists.get(f"{name}s", ()), challenged)
    return found


def _parsed(name: str, line: str, kind: type[_Header]) -> _Header:
    header, colon, value = line.partition(":")
    text = value if colon and header.strip().lower() in _HEADERS else line
    try:
        found = [each for each in kind.parse_all(text.strip()) if each.is_digest]
    except Malformed as error:
        raise Malformed(f"{_option(name)}: {error}") from None
    if not found:
        raise Malformed(f"{_option(name)}: there is no Digest in this header")
    # Of several challenges the one with AKA, or else the first.
    return next((each for each in found if (each.algorithm or "").lower().startswith("aka")), found[0])


def _algorithms(texts: dict[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    if "digest_algorithm" in texts:
        found["digest_algorithm"] = texts["digest_algorithm"]
    name = texts.get("algorithm", "").strip()
    if name:
        found["algorithm" if name.lower() in NAMES else "digest_algorithm"] = name
    return found


def _octets(name: str, text: str, option: str | None = None) -> bytes:
    lengths, option = _LENGTHS[name], _option(option or name)
    found = [octets for octets in (_unhex(text), _unbase64(text)) if octets is not None]
    fitting = next((octets for octets in found if len(octets) in lengths), None)
    if fitting is not None:
        return fitting
    wanted = " or ".join(str(n) for n in lengths) if len(lengths) < 4 else f"{lengths[0]} to {lengths[-1]}"
    if not found:
        raise Malformed(f"{option}: neither hex nor base64", expected=f"{wanted} octets")
    raise Malformed(f"{option}: {len(found[0])} octets", expected=f"{wanted} octets, in hex or base64")


def _unhex(text: str) -> bytes | None:
    try:
        return unhex("value", text)
    except Malformed:
        return None


def _unbase64(text: str) -> bytes | None:
    digits = text.strip().rstrip("=")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _body(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Malformed(f"{_option('body')}: holds a character that UTF-8 cannot write") from None


def _number(name: str, text: str) -> int:
    low, high = _NUMBERS[name]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not low <= number <= high:
        raise Malformed(f"{_option(name)}: not a number that can be used", expected=f"{low} to {high}")
    return number


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{_option(name)}: must be text, not {type(value).__name__}")
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise Malformed(f"{_option(name)}: must be texts, not {type(value).__name__}")
    return tuple(_text(name, each) for each in value)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
