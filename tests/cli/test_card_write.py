"""``imslab card write`` without a reader: where the key comes from, what is printed, the exit status."""

from dataclasses import replace
from pathlib import Path

import pytest

from imslab.cli import card_write
from imslab.data import profile_path
from imslab.errors import Malformed
from imslab.uicc import Card, Profile, pcsc


class InReader:
    """A card where ``pcsc.connect`` would find one."""

    def __init__(self, card: Card) -> None:
        self._card, self.protocol, self.closed = card, card.protocol, False

    def transmit(self, apdu: bytes, /) -> bytes:
        return self._card.transmit(apdu)

    def reset(self) -> bytes:
        return self._card.reset()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> InReader:
    link = InReader(Card(Profile.load(profile_path("alice"))))
    monkeypatch.setattr(pcsc, "connect", lambda *_, **__: link)
    return link


@pytest.fixture
def wanted(tmp_path: Path) -> Path:
    file = tmp_path / "wanted.json"
    replace(Profile.load(profile_path("alice")), domain="ims.example").save(file)
    return file


def test_dry_run_then_write(
    reader: InReader, wanted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert card_write.write(wanted, dry_run=True) == 0
    said = capsys.readouterr().out
    assert "differs   ADF.ISIM EF.DOMAIN: ims.mnc001.mcc001.3gppnetwork.org -> ims.example" in said
    assert said.endswith("1 values would be written\n")
    key = tmp_path / "adm"
    key.write_text("88888888\n")
    assert card_write.write(wanted, adm=f"@{key}") == 0
    assert capsys.readouterr().out.endswith("1 of 1 values written and read back\n")
    assert card_write.write(wanted, adm="3838383838383838") == 0
    assert capsys.readouterr().out.endswith("nothing to write: the card holds the profile already\n")
    assert reader.closed


def test_a_card_that_keeps_nothing_gives_status_1(
    reader: InReader, wanted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = reader.transmit
    monkeypatch.setattr(reader, "transmit", lambda apdu: b"\x90\x00" if apdu[1] == 0xD6 else keep(apdu))
    assert card_write.write(wanted, adm="88888888") == 1


@pytest.mark.parametrize("text", ["", "123", "123456789", "zz" * 8, "@/nowhere/adm", "12a4"])
def test_no_key_is_said_without_repeating_it(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        card_write.read_adm(text)
    assert len(text) < 3 or text not in str(caught.value)


def test_the_key_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMSLAB_ADM", "1234")
    assert card_write.read_adm(None) == "1234"
    monkeypatch.delenv("IMSLAB_ADM")
    with pytest.raises(Malformed, match="no ADM1 was given"):
        card_write.read_adm(None)
    file = tmp_path / "adm"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Malformed, match="not a key"):
        card_write.read_adm(f"@{file}")
