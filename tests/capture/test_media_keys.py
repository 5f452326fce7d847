"""Keys for media as they are given: text, octets, files; wrong ones are refused without being repeated."""

import base64
from pathlib import Path

import pytest

from imslab.capture.media_keys import MediaKeys, SrtpKey, media_keys, with_secrets
from imslab.errors import CaptureError, Malformed

CM, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"
MASTER = bytes(range(30))
TEXT = f"{CM}:{base64.b64encode(MASTER).decode()}"
RANDOM, SECRET = "ab" * 32, "cd" * 48
LINE = f"CLIENT_RANDOM {RANDOM} {SECRET}\n".encode()


def given(srtp: object) -> tuple[SrtpKey, ...]:
    return media_keys(srtp=srtp).given  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "srtp",
    [TEXT, TEXT.replace(":", ":inline:"), (CM, MASTER), [TEXT], [(CM, MASTER)]],
    ids=["text", "as in SDP", "octets", "a list", "a list of octets"],
)
def test_one_key(srtp: object) -> None:
    (key,) = given(srtp)
    assert (str(key.profile), key.key, key.salt, key.origin) == (CM, MASTER[:16], MASTER[16:], "given")


def test_several_keys() -> None:
    assert [str(key.profile) for key in given([TEXT, (GCM, bytes(44))])] == [CM, GCM]


def test_nothing_was_given() -> None:
    assert media_keys() == MediaKeys()


@pytest.mark.parametrize(
    ("srtp", "says"),
    [
        (f"{CM}:!!!", "base64"),
        (f"{CM}:QUFB", "30 octets"),
        ("AES_CM_42:QUFB", "unknown SRTP profile"),
        (CM, "30 octets"),
        ((GCM, bytes(43)), "44 octets"),
    ],
)
def test_what_is_refused(srtp: object, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        given(srtp)


def test_a_key_is_never_shown() -> None:
    secret = base64.b64encode(b"\xfa" * 29).decode()
    with pytest.raises(Malformed) as caught:
        given(f"{CM}:{secret}")
    assert secret[:8] not in str(caught.value)
    key = SrtpKey.of(CM, b"\xfa" * 30)
    assert "fafa" not in repr(key)
    assert "\\xfa" not in repr(key)


def test_key_logs_from_a_file_and_as_octets(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(LINE)
    for source in (tmp_path / "keys", str(tmp_path / "keys"), LINE):
        assert media_keys(keylog=source).key_log.master_secret(bytes.fromhex(RANDOM)) == bytes.fromhex(SECRET)


def test_a_key_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot be read"):
        media_keys(keylog=tmp_path / "none")


def test_a_key_log_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imslab.capture.media_keys._LARGEST_KEY_LOG", 10)
    (tmp_path / "keys").write_bytes(LINE)
    with pytest.raises(CaptureError, match="more than 10 octets"):
        media_keys(keylog=tmp_path / "keys")


def test_secrets_of_the_file_and_of_the_caller_are_one_log() -> None:
    other = LINE.replace(b"ab", b"12")
    log = with_secrets(
        media_keys(keylog=LINE), [(0x544C534B, other), (1, b"something else"), (0x544C534B, b"bad line")]
    )
    assert len(log) == 2
    assert len(log.warnings) == 1
    assert len(with_secrets(None, [])) == 0
