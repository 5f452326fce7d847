"""``imslab inspect --html``: one page that stands alone, says what is wrong first, and gives no key away."""

import re
from html.parser import HTMLParser

import pytest

from imslab.capture import open_capture
from imslab.capture.report import report
from imslab.cli import main
from imslab.cli.page import page
from imslab.data import path, profile_path
from imslab.ims.cx import MultimediaAuthAnswer

VOID = {"meta", "br", "img", "path", "use", "rect", "circle", "line", "image"}


class Balanced(HTMLParser):
    """Counts what is opened and closed, and keeps which elements there are."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def made(name, **keys):
    capture = open_capture(path("traces", f"{name}.pcapng"), **keys)
    return capture, page(capture, report(capture))


@pytest.fixture(scope="module")
def faulty():
    return made("faulty-network", profile=[profile_path("alice"), profile_path("bob")])


def test_it_stands_alone(faulty):
    _, text = faulty
    parser = Balanced()
    parser.feed(text)
    assert parser.open == [] and {"h1", "table", "svg", "style"} <= parser.seen
    assert not {"script", "link", "img", "iframe", "object"} & parser.seen
    assert re.findall(r"""(?:src|href)=["'](?!#)[^"']*""", text) == []
    assert not re.search(r"url\((?!#)|@import", text)
    assert "default-src 'none'" in text


def test_findings_come_first_with_their_clauses(faulty):
    capture, text = faulty
    places = [text.index(name) for name in (">Findings<", ">Registrations: 4<", ">Calls: 1<", ">Streams: 1<")]
    assert places == sorted(places)
    for finding in capture.findings:
        assert finding.clause.replace("'", "&#x27;") in text
    assert text.count('class="finding error"') == 4 and text.count('class="finding warning"') == 2
    assert text.count("<svg") == 4 * 2 + 1 + 1  # ladder and timeline of each login, the call, the stream


def test_no_key_is_in_it(faulty):
    capture, text = faulty
    vectors = [
        e.message.value.vector for e in capture.cx_events if isinstance(e.message.value, MultimediaAuthAnswer)
    ]
    keys = [value.hex() for v in vectors if v is not None for value in (v.ck, v.ik, v.xres)]
    assert len(keys) >= 12
    assert [key for key in keys if key in text.lower()] == []
    assert "inline:" not in text  # what SDES wrote into the descriptions


def test_names_from_the_network_are_text(monkeypatch):
    capture, _ = made("register-akav1")
    found = report(capture)
    found["capture"]["file"] = "<script>alert(1)</script>\x1b[2J.pcap"
    found["warnings"] = ["<b>bold</b> & more"]
    text = page(capture, found)
    assert "<script>" not in text and "&lt;script&gt;" in text and "\x1b" not in text
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in text


def test_a_capture_with_nothing_wrong_says_so():
    _, text = made("register-akav2", profile=[profile_path("alice"), profile_path("bob")])
    assert "Nothing was found" in text and "Calls" not in text


def test_the_command_writes_it_and_says_what_it_holds(tmp_path, capsys):
    trace, out = str(path("traces", "register-akav1.pcapng")), tmp_path / "report.html"
    assert main(["inspect", trace, "--html", str(out)]) == 0
    shown = capsys.readouterr()
    assert shown.out == "" and "no key" in shown.err
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert main(["inspect", trace, "--html", str(tmp_path / "no" / "where.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err
