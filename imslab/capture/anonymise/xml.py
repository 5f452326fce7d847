"""XML with other names: element and attribute names stay, what they say is replaced.

Spec: XML 1.0, 2.4 and 3.1; RFC 3680 (reginfo), RFC 4235 (dialog-info), TS 29.228 annex B (user profile), TS
24.109 (GBA). Words of a state ("active", "registered") stay where they are the whole of a value, so do small
numbers, dates and the names of namespaces.
"""

import re

from imslab.capture.anonymise.text import Texts
from imslab.capture.anonymise.vocabulary import XML_WORDS

_PIECE = re.compile(
    r"<!--(?P<comment>.*?)(?:-->|$)|<!\[CDATA\[(?P<data>.*?)(?:\]\]>|$)"
    r"|(?P<tag><[/?!]?[\w:.-]*(?:[^<>\"']|\"[^\"]*\"?|'[^']*'?)*>?)|(?P<text>[^<]+)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([\w:.-]+\s*=\s*)(\"[^\"]*\"?|'[^']*'?)")
_QUOTED = re.compile(r"\"[^\"]*\"?|'[^']*'?")
_NAME = re.compile(r"[A-Za-z0-9]+")
_REFERENCE = re.compile(r"&(?:#\d+|#x[0-9A-Fa-f]+|[a-z]+);")
_NUMBER = re.compile(r"[+-]?\d{1,4}(?:\.\d{1,4})?")
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_NAMESPACE = re.compile(
    r"(?i)urn:(?:ietf|oma|3gpp):[\w:.\-]+|https?://www\.w3\.org/[\w./#-]*|uri:3gpp[\w:.-]*"
)


class Xml:
    """Rewrites XML, whole or not."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def rewrite(self, text: str) -> str:
        """Replace what names somebody."""
        return _PIECE.sub(self._piece, text)

    def _piece(self, match: "re.Match[str]") -> str:
        whole = match.group()
        for name in ("comment", "data"):
            if match[name] is not None:
                start, end = match.span(name)
                at = start - match.start()
                return whole[:at] + self._texts.words(match[name]) + whole[at + end - start :]
        if whole.startswith("<!"):  # a document type: its keywords stay
            return _QUOTED.sub(lambda quoted: self._value(quoted.group()), whole)
        if not match["tag"]:
            return self._value(whole)
        self._texts.kept.update(_NAME.findall(_ATTRIBUTE.sub(r"\1", whole)))
        return _ATTRIBUTE.sub(self._attribute, whole)

    def _attribute(self, match: "re.Match[str]") -> str:
        value = match[2]
        end = value[0] if len(value) > 1 and value[-1] == value[0] else ""
        return match[1] + value[0] + self._value(value[1 : len(value) - len(end)]) + end

    def _value(self, text: str) -> str:
        """Replace a text or an attribute; what is around it (blanks) stays."""
        bare = text.strip()
        if bare.lower() in XML_WORDS or any(form.fullmatch(bare) for form in (_NUMBER, DATE, _NAMESPACE)):
            return text
        parts, at = [], 0
        for match in _REFERENCE.finditer(text):
            parts += [self._words(text[at : match.start()]), _reference(match.group())]
            at = match.end()
        return "".join([*parts, self._words(text[at:])])

    def _words(self, text: str) -> str:
        return self._texts.words(text)


def _reference(text: str) -> str:
    """Keep a named reference; one by number becomes a letter's, as long."""
    if not text.startswith("&#"):
        return text
    is_hex = text[2] == "x"
    digits = len(text) - (4 if is_hex else 3)
    other = {1: "9", 2: "78"}.get(digits, "0" * (digits - 3) + "120")
    return f"&#{'x' if is_hex else ''}{'78'.zfill(digits)[-digits:] if is_hex else other};"
