"""What runs on the newest Python and not on 3.11.2, which Debian 12 has: the floor that README promises."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "imslab"
FILES = sorted(PACKAGE.rglob("*.py"))

# Until 3.11.5 a possessive quantifier after a group matched too much (CPython issue 106052):
# (?:...)*+ is wrong there; (?>(?:...)*) says the same and is right.
POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{\d*,?\d*\})\+")


def texts(source: str) -> list[tuple[int, str]]:
    """Return every text in ``source`` that is no docstring, with its line; of f-strings the literal parts."""
    tree = ast.parse(source, feature_version=(3, 11))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in prose]
    return [(node.lineno, node.value) for node in constants if isinstance(node.value, str)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_possessive_quantifier_after_a_group(file: Path) -> None:
    found = [(line, text) for line, text in texts(file.read_text("utf-8")) if POSSESSIVE_GROUP.search(text)]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "bad"),
    [
        ("(?:a|b)*+", True),
        ("(a)++", True),
        ("(a)?+", True),
        ("(a){2,}+", True),
        ("[ab]*+", False),
        (r"\)*+", False),
    ],
)
def test_the_pattern_is_found(pattern: str, bad: bool) -> None:
    assert bool(POSSESSIVE_GROUP.search(pattern)) == bad
