"""Who sits behind an address: TS 24.229, 5.2.6.3; RFC 7315, 4.2."""

import pytest

from imslab.ims.admission import Association, SessionKeys
from imslab.sip import Message

ALICE = Association("alice@x", ("sip:alice@x", "tel:+1"), (), 10.0)


def request(*rows: str) -> Message:
    return Message.parse("\r\n".join(["INVITE sip:bob@x SIP/2.0", *rows, "", ""]).encode())


@pytest.mark.parametrize(
    ("preferred", "identity"),
    [
        (None, "sip:alice@x"),
        ("tel:+1", "tel:+1"),
        ("sip:ALICE@X", "sip:alice@x"),
        ("sip:bob@x", "sip:alice@x"),
    ],
)
def test_who_it_is(preferred: str | None, identity: str) -> None:
    rows = [] if preferred is None else [f"P-Preferred-Identity: <{preferred}>"]
    assert ALICE.identity(request(*rows)) == identity


@pytest.mark.parametrize(
    ("called", "identity"), [(None, "sip:alice@x"), ("tel:+1", "tel:+1"), ("tel:+2", "sip:alice@x")]
)
def test_who_was_called(called: str | None, identity: str) -> None:
    rows = [] if called is None else [f"P-Called-Party-ID: <{called}>"]
    assert ALICE.called(request(*rows)) == identity


def test_keys_are_not_shown() -> None:
    assert repr(SessionKeys(b"k" * 16, b"i" * 16)) == "SessionKeys()"
