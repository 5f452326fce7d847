"""Where peers shall connect: checked when it is said."""

from dataclasses import replace
from typing import Any

import pytest

from imslab.errors import Malformed
from imslab.interop import Agreement, Target, pjsua, sipp
from imslab.interop.peer import callee, is_plain_uri, odd_names, public_identity
from imslab.sip.sec_agree import SecurityMechanism
from tests.interop.subscribers import DOMAIN, subscriber


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pcscf": "pcscf.example"}, "pcscf: 'pcscf.example' is no address"),
        ({"local": ""}, "local: '' is no address"),
        ({"port": 0}, "port 0; expected 1 to 65535"),
        ({"port": 65536}, "port 65536"),
        ({"amf": b"\0"}, "amf"),
        ({"callee": "bob"}, "the callee is no SIP or tel URI"),
        ({"callee": "sip:bob@x>]]><!--"}, "the callee is no SIP or tel URI"),
        ({"callee": "sip:" + "b" * 1000}, "the callee is no SIP or tel URI"),
    ],
)
def test_what_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(Malformed) as caught:
        Target(**values)
    assert said in str(caught.value)


def test_a_challenge_has_16_octets_and_a_terminal_an_address() -> None:
    mechanism = SecurityMechanism.parse("ipsec-3gpp;alg=hmac-sha-1-96")
    assert Agreement(bytes(16), mechanism, mechanism, "2001:db8::1").ue == "2001:db8::1"
    with pytest.raises(Malformed, match="rand"):
        Agreement(bytes(15), mechanism, mechanism, "192.0.2.1")
    with pytest.raises(Malformed, match="ue"):
        Agreement(bytes(16), mechanism, mechanism, "ue")


@pytest.mark.parametrize("text", ["sip:a@x", "sips:a@x:5061", "tel:+15550100001", "sip:%41!*~@x"])
def test_plain_uris(text: str) -> None:
    assert is_plain_uri(text)


@pytest.mark.parametrize(
    "text",
    ["", "a@x", "sip:", "sip:a b@x", "sip:a@x;user=phone", 'sip:"a"@x', "sip:[::1]", "sip:a\n@x", "sip:ä@x"],
)
def test_what_cannot_stand_in_every_file(text: str) -> None:
    assert not is_plain_uri(text)


def test_who_it_is_and_whom_it_calls() -> None:
    assert public_identity(subscriber()) == f"sip:sipp@{DOMAIN}"
    assert callee(subscriber(), Target()) == f"sip:bob@{DOMAIN}"
    assert callee(subscriber("bob"), Target()) == f"sip:alice@{DOMAIN}"
    assert callee(subscriber(), Target(callee="tel:+15550100002")) == "tel:+15550100002"


@pytest.mark.parametrize("domain", ["x\nrm -rf y", "x;y", "a b", "x" * 254, "[::1]"])
def test_a_domain_that_would_lead_a_script_astray(domain: str) -> None:
    odd = replace(subscriber(), domain=domain)
    assert list(odd_names(odd)) == ["the domain is no domain name"]
    for peer in (sipp, pjsua):
        assert [limit.why for limit in peer.limits(odd, Target()) if limit.blocks] == [*odd_names(odd)]
    assert list(odd_names(subscriber())) == []
