"""Security-Client, -Server, -Verify: RFC 3329 and TS 33.203, annex H."""

import pytest

from imslab.errors import Malformed
from imslab.sip import Message, SecurityMechanism
from imslab.sip.sec_agree import choose, same_list

TEXT = (
    "ipsec-3gpp; q=0.5; alg=hmac-sha-1-96; ealg=aes-cbc; "
    "spi-c=1234; spi-s=4294967295; port-c=2468; port-s=1357"
)


def test_every_field() -> None:
    m = SecurityMechanism.parse(TEXT)
    assert (m.name, m.q, m.alg, m.ealg, m.prot, m.mode) == (
        "ipsec-3gpp",
        0.5,
        "hmac-sha-1-96",
        "aes-cbc",
        "esp",
        "trans",
    )
    assert (m.spi_c, m.spi_s, m.port_c, m.port_s) == (1234, 2**32 - 1, 2468, 1357)
    assert SecurityMechanism.parse(str(m)) == m


def test_defaults() -> None:
    m = SecurityMechanism.parse("ipsec-3gpp")
    assert (m.q, m.alg, m.ealg, m.prot, m.mode, m.spi_c, m.port_s) == (
        0.001,
        None,
        "null",
        "esp",
        "trans",
        None,
        None,
    )
    assert SecurityMechanism.parse("tls;q=7").q == 0.001


def test_built_as_parsed() -> None:
    built = SecurityMechanism.ipsec_3gpp(
        alg="hmac-sha-1-96", q="0.5", ealg="aes-cbc", spi_c=1234, spi_s=2**32 - 1, port_c=2468, port_s=1357
    )
    assert built.same_as(SecurityMechanism.parse(TEXT))


@pytest.mark.parametrize("text", ["", ";q=1", "a b", "tls;q=1;q=2", "tls;"])
def test_bad(text: str) -> None:
    with pytest.raises(Malformed):
        SecurityMechanism.parse(text)


def test_numbers_out_of_range() -> None:
    for text in ("tls;spi-c=4294967296", "tls;spi-c=x"):
        with pytest.raises(Malformed):
            _ = SecurityMechanism.parse(text).spi_c
    with pytest.raises(Malformed):
        _ = SecurityMechanism.parse("tls;port-s=65536").port_s


def test_rows_are_one_list() -> None:
    m = Message.parse(
        f"SIP/2.0 401 x\r\nSecurity-Server: {TEXT}, tls\r\nSecurity-Server: digest;d-alg=md5\r\n\r\n".encode()
    )
    assert [s.name for s in m.security_server] == ["ipsec-3gpp", "tls", "digest"]


def test_security_verify_repeats_security_server() -> None:
    sent = [SecurityMechanism.parse(t) for t in (TEXT, "tls;q=0.2")]
    other_order = (
        "IPsec-3gpp;port-s=1357;alg=HMAC-SHA-1-96;ealg=aes-cbc;spi-c=1234;spi-s=4294967295;port-c=2468;q=0.5"
    )
    assert same_list(sent, [SecurityMechanism.parse(t) for t in (other_order, "tls;q=0.2")])
    assert not same_list(sent, sent[:1])
    assert not same_list(sent, sent[::-1])
    assert not same_list(
        sent, [SecurityMechanism.parse(t) for t in (other_order.replace("1234", "1235"), "tls;q=0.2")]
    )


def test_choose_the_highest_q_that_is_supported() -> None:
    offered = [
        SecurityMechanism.parse(t)
        for t in (
            "tls;q=1.0",
            "ipsec-3gpp;q=0.1;alg=hmac-md5-96",
            "ipsec-3gpp;q=0.4;alg=hmac-sha-1-96;ealg=aes-cbc",
            "ipsec-3gpp;q=0.4;alg=hmac-sha-1-96;ealg=null",
        )
    ]
    ours = [SecurityMechanism.parse(f"ipsec-3gpp;alg={a}") for a in ("hmac-sha-1-96", "hmac-md5-96")]
    assert choose(offered, ours) is offered[3]
    assert choose(offered[:2], ours) is offered[1]
    assert choose(offered[:1], ours) is None
