"""Quotes before commas, parameters, numbers; no time that grows faster than the text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.sip import Params, Quoted
from imslab.sip.syntax import (
    first_comma,
    is_token,
    number,
    parameters,
    quote,
    split_list,
    to_octets,
    to_text,
    unquote,
    write_value,
)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a, b ,c", ["a", "b", "c"]),
        ('"a,b", c', ['"a,b"', "c"]),
        (r'"a\",b",c', [r'"a\",b"', "c"]),
        ('<sip:a,b>, "x" <sip:c>', ["<sip:a,b>", '"x" <sip:c>']),
        ('Digest qop="auth,auth-int", realm="a"', ['Digest qop="auth,auth-int"', 'realm="a"']),
        ("", [""]),
        ('"",', ['""', ""]),
        (r'"\\", "b"', [r'"\\"', '"b"']),
    ],
)
def test_split_list(text: str, pieces: list[str]) -> None:
    assert split_list(text) == pieces


@pytest.mark.parametrize("text", ['"', 'a, "b', r'"\"', "<", '"a" <b', '<a"b', r'"a\\\"'])
def test_an_open_quote_or_bracket_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        split_list(text)
    with pytest.raises(Malformed):
        first_comma(text.replace("a, ", ""))


def test_parameters_plain_spaced_and_quoted() -> None:
    assert parameters(";a=1;B;c=x:y") == {"a": "1", "b": None, "c": "x:y"}
    assert parameters(' ; a = 1 ; b = "x;,\\"y" ;c') == {"a": "1", "b": 'x;,"y', "c": None}
    assert str(parameters(' ; a = 1 ; b = "x" ;c')) == ';a=1;b="x";c'
    assert parameters("x;a", 1) == {"a": None}
    assert parameters("") == {}


@pytest.mark.parametrize(
    "text", [";", ";;", ";a;", ";a=", ";a=1;A=2", ";a=1 b", "a", ';a="', ';a="b"c', ";a,b", ";=b"]
)
def test_bad_parameters(text: str) -> None:
    with pytest.raises(Malformed):
        parameters(text)


def test_params_are_read_only_and_hashable() -> None:
    params = Params({"A": "1", "b": None})
    assert params["a"] == "1"
    assert hash(params) == hash(Params([("b", None), ("a", "1")]))
    assert params.having(c_d="2") == {"a": "1", "b": None, "c-d": "2"}
    assert params.without("A") == {"b": None}
    for name in ("update", "pop", "clear", "setdefault", "popitem", "__setitem__", "__delitem__", "__ior__"):
        with pytest.raises(TypeError, match="read-only"):
            getattr(params, name)("a", "2")
    assert params == {"a": "1", "b": None}


def test_values_are_quoted_where_they_must() -> None:
    assert write_value("a.b") == "a.b"
    assert write_value("[2001:db8::1]:5060") == "[2001:db8::1]:5060"
    assert write_value("a b") == '"a b"'
    assert write_value(Quoted("a")) == '"a"'
    assert write_value("") == '""'


@given(st.text())
def test_quote_and_unquote(text: str) -> None:
    assert unquote(quote(text)) == text
    assert split_list(quote(text)) == [quote(text)]
    assert parameters(f";a={quote(text)}") == {"a": text}


@given(st.binary())
def test_octets_survive_as_text(octets: bytes) -> None:
    assert to_octets(to_text(octets)) == octets


def test_lone_surrogates_are_no_octets() -> None:
    with pytest.raises(Malformed, match="octet 1"):
        to_octets("a\ud800")


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("0068", 68), ("4294967295", 2**32 - 1), ("0" * 90 + "7", 7)]
)
def test_numbers(text: str, value: int) -> None:
    assert number("n", text) == value


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1_0", "4294967296", "9" * 5000, "٣", "0x1", "1.0", "²"]
)
def test_bad_numbers(text: str) -> None:
    with pytest.raises(Malformed, match="n is not a number"):
        number("n", text)


def test_tokens() -> None:
    assert is_token("!interesting-Method0123456789_*+`.%indeed'~")
    assert not any(map(is_token, ("", "a b", "a/b", "a:b", "ä", "a\n")))


@pytest.mark.parametrize(
    "text",
    [
        '"' * 60_000,
        "<" * 60_000,
        '"\\' * 30_000,
        ";a" * 30_000 + "=",
        ";a=" * 20_000,
        " ;" * 30_000,
        ";a " * 20_000 + '"',
    ],
)
def test_time_is_linear(text: str) -> None:
    start = time.process_time()
    for read in (split_list, parameters):
        try:
            read(text)
        except Malformed:
            continue
    assert time.process_time() - start < 1.0
