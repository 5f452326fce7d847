"""What is offered: TS 33.203, annex H, and RFC 3329, 2.2."""

import pytest

from imslab.errors import Malformed
from imslab.ipsec import agreed
from imslab.ipsec.offer import TRANSFORMS, Receiving, chosen, name_of, offer

HERE, THERE = Receiving(1001, 1002, 5062, 5064), Receiving(2001, 2002, 5104, 6104)


def test_one_mechanism_for_each_transform() -> None:
    rows = offer(TRANSFORMS, HERE)
    assert tuple(map(name_of, rows)) == TRANSFORMS
    for row in rows:
        assert (row.spi_c, row.spi_s, row.port_c, row.port_s) == (1001, 1002, 5062, 5064)
        assert (row.prot, row.mode, row.params.get("q")) == ("esp", "trans", None)
    assert str(rows[0]) == (
        "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;prot=esp;mod=trans;spi-c=1001;spi-s=1002;port-c=5062;port-s=5064"
    )


def test_the_first_is_preferred() -> None:
    assert [row.q for row in offer(TRANSFORMS, THERE, ranked=True)] == [0.9, 0.8, 0.7, 0.6]
    for number, name in enumerate(TRANSFORMS):
        pair = agreed(offer(TRANSFORMS[number:][::-1], HERE), offer(TRANSFORMS, THERE, ranked=True))
        assert pair is not None and list(map(name_of, pair)) == [name, name]


def test_old_ones_can_be_asked_for() -> None:
    for name in ("des-ede3-cbc/hmac-md5-96", "null/hmac-md5-96", "aes-cbc/hmac-md5-96"):
        assert name not in TRANSFORMS
        assert name_of(offer([name], HERE)[0]) == name


@pytest.mark.parametrize(
    ("names", "match"),
    [
        ([], "0 transforms; expected 1 to 9"),
        (["null/hmac-md5-96"] * 10, "10 transforms"),
        (["aes-cbc"], "no transform; expected encryption/integrity"),
        (["rot13/hmac-md5-96"], "'rot13' has no key expansion"),
        (["null/crc"], "'crc' has no key expansion"),
        (["null/null"], "does not go with"),
        (["aes-gcm/hmac-sha-1-96"], "does not go with"),
    ],
)
def test_what_cannot_be_offered(names: list[str], match: str) -> None:
    with pytest.raises(Malformed, match=match):
        offer(names, HERE)
    if names:
        with pytest.raises(Malformed, match=match):
            chosen(names)


def test_what_is_wanted() -> None:
    assert chosen(True) == TRANSFORMS and chosen(False) == ()
    assert chosen("aes-gcm/null") == ("aes-gcm/null",)
    assert chosen(["aes-gcm/null", "null/aes-gmac"]) == ("aes-gcm/null", "null/aes-gmac")
    assert chosen([]) == ()
