"""XML: elements stay, what they say is another's."""

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.xml import Xml
from tests.capture.anonymise.parts import Parts, parts

REGINFO = """<?xml version="1.0" encoding="UTF-8"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="1" state="partial"><!-- of Alice -->
  <registration aor="sip:alice@home.example" id="a7" state='active'>
    <contact id="76" state="active" event="registered" duration-registered="7322" q="0.8">
      <uri>sip:alice@pc.home.example</uri><display-name>Alice &amp; Bob &#65;</display-name>
      <unknown-param name="x">alice</unknown-param>
    </contact>
  </registration>
  <lifetime>2026-11-28T13:00:00Z</lifetime><state>active</state><count>12</count>
</reginfo>"""


KEPT = """
version="1" state="partial" state='active' event="registered" q="0.8" &amp; >2026-11-28T13:00:00Z<
<state>active< >12< urn:ietf:params:xml:ns:reginfo
"""


def test_who_is_registered_is_gone(made: Parts) -> None:
    new = Xml(made.texts).rewrite(REGINFO)
    assert len(new) == len(REGINFO)
    for word in ("alice", "bob", "home", "pc.", "a7", "&#65;"):
        assert word not in new.lower()


def test_what_is_said_of_him_stays(made: Parts) -> None:
    new = Xml(made.texts).rewrite(REGINFO)
    old_tags = [(e.tag, list(e.attrib)) for e in ElementTree.fromstring(REGINFO).iter()]
    tree = ElementTree.fromstring(new)
    assert [(e.tag, list(e.attrib)) for e in tree.iter()] == old_tags
    assert [kept for kept in KEPT.split() if kept not in new] == []


def test_the_names_in_it_are_those_of_the_message(made: Parts) -> None:
    assert made.texts.uri("sip:alice@home.example") in Xml(made.texts).rewrite(REGINFO)


@pytest.mark.parametrize(
    "text",
    [
        "<alice",
        "alice",
        "<a b=alice>",
        "<a b='alice>",
        "<!-- alice",
        "<![CDATA[alice]]>",
        "<![CDATA[alice",
        '<!DOCTYPE a SYSTEM "http://alice.example/a.dtd">',
        "<a>&#97;lice &alice; </a>",
        '<a b="alice"',
    ],
)
def test_what_is_broken_or_rare(made: Parts, text: str) -> None:
    new = Xml(made.texts).rewrite(text)
    assert len(new) == len(text)
    assert "alice" not in new or text in ("<alice", "<a b=alice>") or "&alice;" in text


@settings(deadline=None)
@given(st.text("<>&;#'\"=!-[]/ab1é", max_size=80))
def test_any_text_keeps_its_length(text: str) -> None:
    assert len(Xml(parts().texts).rewrite(text).encode()) == len(text.encode())
