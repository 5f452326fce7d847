"""Only Malformed comes out of any parser, whatever goes in; values that are built are read again the same."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_sip import PIECES, SEEDS, exercise, mutated, quiet, stream
from imslab.errors import Malformed
from imslab.sip import (
    Challenge,
    Credentials,
    CSeq,
    Message,
    NameAddr,
    Params,
    Quoted,
    SecurityMechanism,
    Uri,
    Via,
)
from imslab.sip.sdp import Attribute, Connection, Media, Origin, SessionDescription

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)
VALUES = st.one_of(st.none(), TOKENS, TEXTS.map(Quoted))
PARAMS = st.dictionaries(TOKENS.map(str.lower), VALUES, max_size=4).map(Params)
USERS = st.text("abcXYZ019-_.!~*'()&=+$,;?/", min_size=1, max_size=12)
HOSTS = st.one_of(st.from_regex(r"[a-z0-9][a-z0-9.\-]{0,20}", fullmatch=True), st.just("[2001:db8::1]"))
PORTS = st.one_of(st.none(), st.integers(0, 65535))
URI_PARAMS = st.dictionaries(TEXTS.map(str.lower).filter(bool), st.one_of(st.none(), TEXTS), max_size=3)
URIS = st.builds(
    Uri,
    st.sampled_from(["sip", "sips"]),
    st.one_of(st.none(), USERS),
    st.none(),
    HOSTS,
    PORTS,
    URI_PARAMS.map(Params),
)
DISPLAYS = TEXTS.map(str.strip).map(lambda text: " ".join(text.split()))


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)))
def test_any_octets(octets: bytes) -> None:
    exercise(octets)


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_mutations_of_each_seed(number: int) -> None:
    rng = random.Random(number)
    exercise(SEEDS[number])
    for _ in range(8):
        exercise(mutated(SEEDS[number], rng), rng.randint(1, 60))


@given(st.lists(st.sampled_from([*SEEDS, b"\r\n", b"\r\n\r\n"]), max_size=4), st.integers(1, 2000))
@settings(max_examples=30)
def test_any_stream_is_read_the_same_in_steps(messages: list[bytes], step: int) -> None:
    stream(b"".join(messages), step)


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    for value in (Uri, NameAddr, Via, Challenge, Credentials, SecurityMechanism, CSeq, SessionDescription):
        quiet(lambda value=value: value.parse(text))  # type: ignore[misc]
    quiet(lambda: Message.request(text, text, [(text, text)]))
    quiet(lambda: Message.parse(SEEDS[0]).with_header(text, text))
    quiet(lambda: Message.reply(Message.parse(SEEDS[1]), 200, text, [("X", text)], to_tag=text))


@given(URIS)
def test_uris_round_trip(uri: Uri) -> None:
    assert Uri.parse(str(uri)) == uri
    assert uri.matches(uri)


@given(URIS, DISPLAYS, PARAMS)
def test_addresses_round_trip_in_a_message(uri: Uri, display: str, params: Params) -> None:
    value = NameAddr(uri, display, params)
    assert NameAddr.parse(str(value)) == value
    message = Message.request("OPTIONS", "sip:a@b", [("Contact", value), ("Contact", f"{value}, {value}")])
    assert Message.parse(bytes(message)).contacts == (value, value, value)


@given(TOKENS, HOSTS, PORTS, PARAMS)
def test_vias_round_trip(transport: str, host: str, port: int | None, params: Params) -> None:
    via = Via(transport.upper(), host, port, params)
    assert Via.parse(str(via)) == via


@given(
    st.lists(
        st.tuples(TOKENS, st.dictionaries(TOKENS.map(str.lower), TEXTS, min_size=1, max_size=5)),
        min_size=1,
        max_size=4,
    )
)
def test_challenges_round_trip(schemes: list[tuple[str, dict[str, str]]]) -> None:
    challenges = tuple(Challenge(scheme, Params(params)) for scheme, params in schemes)
    row = ", ".join(map(str, challenges))
    assert Challenge.parse_all(row) == challenges
    message = Message.request("OPTIONS", "sip:a@b", [("WWW-Authenticate", row)])
    assert Message.parse(bytes(message)).www_authenticate == challenges


@given(st.integers(0, 2**32 - 1), TOKENS)
def test_cseq_round_trips(number: int, method: str) -> None:
    assert CSeq.parse(str(CSeq(number, method))) == CSeq(number, method)


@given(st.lists(st.tuples(TOKENS, TEXTS), max_size=20), st.binary(max_size=100))
def test_messages_round_trip(rows: list[tuple[str, str]], body: bytes) -> None:
    kept = [row for row in rows if row[0].lower() not in ("l", "content-length")]
    message = Message.request("MESSAGE", "sip:a@b", kept, body)
    try:
        again = Message.parse(bytes(message) + b"behind")
    except Malformed:
        return  # a row such as CSeq got a value that it cannot have
    assert again == message
    assert again.headers == message.headers
    assert again.body == body


LINES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)
WORDS = st.text("abcXYZ019-.", min_size=1, max_size=10)
ATTRIBUTES = st.lists(st.builds(Attribute, WORDS, st.one_of(st.none(), LINES)), max_size=4).map(tuple)
CONNECTIONS = st.builds(Connection, WORDS, WORDS, WORDS)
MEDIA = st.builds(
    Media,
    WORDS,
    st.integers(0, 65535),
    WORDS,
    st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    st.one_of(st.none(), st.integers(0, 9)),
    st.one_of(st.none(), LINES),
    st.lists(CONNECTIONS, max_size=2).map(tuple),
    st.lists(LINES, max_size=2).map(tuple),
    st.one_of(st.none(), LINES),
    ATTRIBUTES,
)


@given(
    st.builds(
        SessionDescription,
        st.builds(Origin, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS),
        LINES,
        connection=st.one_of(st.none(), CONNECTIONS),
        attributes=ATTRIBUTES,
        media=st.lists(MEDIA, max_size=3).map(tuple),
    )
)
def test_session_descriptions_round_trip(sdp: SessionDescription) -> None:
    assert SessionDescription.parse(bytes(sdp)) == sdp
