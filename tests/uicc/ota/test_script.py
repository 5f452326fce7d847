"""Scripts: written, read, cut."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.uicc.apdu import Command
from imslab.uicc.files import isim
from imslab.uicc.ota import ScriptAnswer, isim_update, read_file, script
from imslab.uicc.ota.script import parse

SCRIPTS = {
    one["secured_data"] for one in vectors("ota")["vectors"] if one.get("secured_data", "").startswith("a0a4")
}


@pytest.mark.parametrize("octets", sorted(SCRIPTS))
def test_published_scripts(octets: str) -> None:
    commands = parse(bytes.fromhex(octets))
    assert all(command.cla == 0xA0 for command in commands)
    assert script(commands).hex() == octets


def test_case_by_case() -> None:
    (select, read) = parse(bytes.fromhex("00a40004023f00" + "00b0000000"))
    assert select == Command(0x00, 0xA4, 0x00, 0x04, b"\x3f\x00")
    assert read == Command(0x00, 0xB0, 0x00, 0x00, b"", 256)
    with pytest.raises(Malformed, match="not both"):
        script([Command(0x00, 0xA4, 0x00, 0x04, b"\x3f\x00", 256)])


@pytest.mark.parametrize("octets", ["00", "00a40004", "00a400040f3f00", "00b000000000"])
def test_cut(octets: str) -> None:
    with pytest.raises(Malformed, match="cut"):
        parse(bytes.fromhex(octets))


def test_update_of_the_isim() -> None:
    commands = parse(isim_update(impu=("sip:a@b", "tel:+1"), pcscf=("192.0.2.1",), domain="example.org"))
    names = [(one.ins, one.p1, one.data[:2].hex() if one.ins == 0xA4 else len(one.data)) for one in commands]
    assert names == [
        (0xA4, 0, "6f03"),
        (0xD6, 0, 128),
        (0xA4, 0, "6f04"),
        (0xDC, 1, 128),
        (0xDC, 2, 128),
        (0xA4, 0, "6f09"),
        (0xDC, 1, 128),
    ]
    assert isim.PCscf.decode(commands[-1].data).address == "192.0.2.1"
    assert isim_update() == b""
    with pytest.raises(Malformed, match="needs"):
        isim_update(domain="x" * 200)


def test_read_file() -> None:
    assert read_file(isim.Domain, length=32).hex() == "00a4000c026f03" + "00b0000020"
    assert read_file(isim.Impu, 2).hex() == "00a4000c026f04" + "00b2020480"


@given(st.binary(max_size=60))
def test_any_octets(octets: bytes) -> None:
    with suppress(Malformed):
        assert script(parse(octets)) == octets
    with suppress(Malformed):
        assert bytes(ScriptAnswer.parse(octets)) == octets
