"""Flow tokens: RFC 5626, 5.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.ims import Address
from imslab.ims.flow import FlowTokens
from imslab.sip import Uri

FLOWS = FlowTokens(bytes(20))
SOME = [Address("127.0.0.11", 5060), Address("2001:db8::1", 65535, "TCP"), Address("10.0.0.1", 1, "WS")]


@pytest.mark.parametrize("flow", SOME, ids=str)
def test_a_token_names_its_flow_and_fits_into_a_uri(flow):
    token = FLOWS.make(flow)
    assert FLOWS.open(token) == flow
    assert Uri.parse(f"sip:{token}@127.0.0.21:5060;lr").user == token


def test_another_proxy_cannot_make_one():
    other = FlowTokens(b"\x01" * 20)
    assert FLOWS.open(other.make(SOME[0])) is None


def test_every_character_counts():
    token = FLOWS.make(SOME[0])
    for n in range(len(token) - 1):  # the last one has bits that mean nothing
        changed = token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :]
        assert FLOWS.open(changed) is None


@given(st.text(max_size=80))
def test_anything_else_names_nothing(token):
    assert FLOWS.open(token) is None
