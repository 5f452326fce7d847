"""What the man in the middle makes of a 401 and of a 200; that it is refused is shown in tests/browser."""

import pytest

from imslab.aka import digest
from imslab.web.middle import ReplayFirst, forge_autn, no_challenge, only_akav1, wrong_rspauth

RAND, AUTN = bytes(range(16)), bytes(range(16, 32))


def challenge(rand: bytes = RAND) -> str:
    nonce = digest.nonce_for(rand, AUTN)
    names = ("AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256")
    rows = [f'WWW-Authenticate: Digest realm="r", nonce="{nonce}", algorithm={name}' for name in names]
    return "\r\n".join(["SIP/2.0 401 Unauthorized", *rows, "", ""])


def nonces(message: str) -> set[bytes]:
    found = {row.split('nonce="')[1].split('"')[0] for row in message.split("\r\n") if "nonce=" in row}
    return {b"".join(digest.parse_nonce(one)[:2]) for one in found}


def test_a_forged_autn_differs_in_its_mac_alone() -> None:
    (forged,) = nonces(forge_autn(challenge()))
    assert forged[:31] == (RAND + AUTN)[:31] and forged[31] == AUTN[15] ^ 1


def test_a_downgrade_leaves_akav1() -> None:
    left = only_akav1(challenge())
    assert left.count("WWW-Authenticate") == 1 and "AKAv1-MD5" in left and left.endswith("\r\n\r\n")


def test_a_replay_plays_the_first_challenge_in_place_of_the_second_only() -> None:
    replay = ReplayFirst()
    seen = [nonces(replay(challenge(bytes([n]) * 16))) for n in (1, 2, 3)]
    assert seen == [{bytes([n]) * 16 + AUTN} for n in (1, 1, 3)]


def test_a_network_that_proves_nothing() -> None:
    assert no_challenge(challenge()).startswith("SIP/2.0 200 OK\r\n")
    assert 'rspauth="00"' in wrong_rspauth('SIP/2.0 200 OK\r\nAuthentication-Info: rspauth="abcdef"\r\n\r\n')


@pytest.mark.parametrize("change", [forge_autn, only_akav1, ReplayFirst(), no_challenge, wrong_rspauth])
@pytest.mark.parametrize(
    "message", ["SIP/2.0 200 OK\r\n\r\n", "NOTIFY sip:a SIP/2.0\r\n\r\n", "", 'x 401 y nonce="?"']
)
def test_other_messages_pass_as_they_are(change, message) -> None:
    assert change(message) == message
