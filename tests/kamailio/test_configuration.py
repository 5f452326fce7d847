"""What Kamailio is told: every place in the templates is filled; what Kamailio does not know is refused."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from imslab.errors import ImslabError, Malformed
from imslab.kamailio import Configuration

CORE = Configuration(
    pcscf="127.0.9.21", icscf="127.0.9.25", scscf="127.0.9.31", hss="127.0.9.41", domain="ims.example",
    algorithm="AKAv2-MD5", trace=("127.0.9.21", 9061), port=5070, websocket_port=5090, diameter_port=3878,
)  # fmt: skip


def test_every_file_is_written_and_no_place_is_left_open(tmp_path: Path) -> None:
    files = CORE.write(tmp_path)
    assert list(files) == ["scscf", "icscf", "pcscf"] and all(file.is_file() for file in files.values())
    written = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert "@" not in written.replace("@.*", "").replace("orig@", "")
    for value in ("127.0.9.21:5070", "127.0.9.21:5090", "127.0.9.21:9061", "127.0.9.31:5070", str(tmp_path)):
        assert value in written
    assert '"registration_default_algorithm", "AKAv2-MD5"' in files["scscf"].read_text("utf-8")


@pytest.mark.parametrize(("name", "address"), [("icscf", "127.0.9.25"), ("scscf", "127.0.9.31")])
def test_the_diameter_peers_meet_at_the_hss(tmp_path: Path, name: str, address: str) -> None:
    CORE.write(tmp_path)
    root = ElementTree.parse(tmp_path / f"{name}.xml").getroot()
    assert (root.get("FQDN"), root.get("Realm")) == (f"{name}.ims.example", "ims.example")
    peer, acceptor = root.find("Peer"), root.find("Acceptor")
    assert peer is not None and (peer.get("FQDN"), peer.get("port")) == ("127.0.9.41", "3878")
    assert acceptor is not None and acceptor.get("bind") == address
    assert (
        peer.get("src_addr") == address
    )  # else it comes from 127.0.0.1, and a ladder does not know who asks


def test_the_table_of_s_cscfs_names_ours(tmp_path: Path) -> None:
    CORE.write(tmp_path)
    assert (tmp_path / "tables" / "s_cscf").read_text("utf-8").splitlines()[1] == (
        r"1:first:sip\:127.0.9.31\:5070"
    )


@pytest.mark.parametrize("algorithm", ["AKAv2-SHA-256", "MD5", "AKAv3-MD5"])
def test_an_algorithm_that_kamailio_does_not_know_is_refused(algorithm: str) -> None:
    with pytest.raises(Malformed):
        Configuration(algorithm=algorithm)


@pytest.mark.parametrize("domain", ["", "-a", 'ims"; exec(', "a b", "ims.example\n"])
def test_a_domain_that_is_none_is_refused(domain: str) -> None:
    with pytest.raises(Malformed, match="no domain name"):
        Configuration(domain=domain)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(ImslabError, match="cannot be written"):
        CORE.write(file)
