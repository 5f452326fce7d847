"""Header names: long, compact, any case."""

import pytest

from imslab.errors import Malformed
from imslab.sip import REASONS
from imslab.sip.names import COMPACT, KEYS, SINGLE, key


@pytest.mark.parametrize(
    ("name", "long"),
    [
        ("v", "via"),
        ("F", "from"),
        ("t", "to"),
        ("i", "call-id"),
        ("m", "contact"),
        ("l", "content-length"),
        ("c", "content-type"),
        ("k", "supported"),
        ("o", "event"),
        ("s", "subject"),
        ("e", "content-encoding"),
        ("u", "allow-events"),
        ("r", "refer-to"),
        ("b", "referred-by"),
        ("x", "session-expires"),
        ("WWW-Authenticate", "www-authenticate"),
        ("wWw-AuThEnTiCaTe \t", "www-authenticate"),
        ("p", "p"),
        ("P-Own.Header", "p-own.header"),
    ],
)
def test_key(name: str, long: str) -> None:
    assert key(name) == long


@pytest.mark.parametrize("name", ["", " ", " a", "a b", "a:", "ü", "a\r\n"])
def test_no_token(name: str) -> None:
    with pytest.raises(Malformed):
        key(name)


def test_tables_agree() -> None:
    assert all(KEYS[letter] == long for letter, long in COMPACT.items())
    assert {KEYS.get(name, name) for name in SINGLE} == SINGLE
    assert all(100 <= status <= 699 and text for status, text in REASONS.items())
