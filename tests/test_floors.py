"""The floors of the house: an import goes down, or sideways without a circle, never up."""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "imslab"

ROOF = 6  # imslab/__init__.py and __main__.py: they name rooms of every floor
FLOORS = {
    "imslab.cli": 5, "imslab.lab": 5, "imslab.course": 5, "imslab.charts": 5,
    "imslab.capture": 4, "imslab.interop": 4,
    "imslab.net": 3, "imslab.media": 3, "imslab.web": 3, "imslab.kamailio": 3, "imslab.uicc.pcsc": 3,
    "imslab.uicc.vpcd": 3,
    "imslab.srtp.parallel": 3,
    "imslab.ims": 2,
    "imslab.aka": 1, "imslab.sip": 1, "imslab.uicc": 1, "imslab.srtp": 1, "imslab.ipsec": 1,
    "imslab.errors": 0, "imslab.octets": 0, "imslab.data": 0,
}  # fmt: skip

# Nobody may load these by being imported: they take long, or are not there.
HEAVY = {"scapy", "matplotlib", "pandas", "aiortc", "av", "aiohttp", "smartcard", "IPython", "ipywidgets",
         "nbclient", "nbformat", "jupyterlab", "playwright", "pylibsrtp", "diameter"}  # fmt: skip
# ... but where a class must inherit from such a library, its module is itself imported late.
LOADS_HEAVY = {"imslab.capture.layers": {"scapy"}, "imslab.media.tracks": {"aiortc", "av"}}

# Floors 0 to 2 have no clock, no randomness, no socket, no threads; these come in as arguments.
IMPURE = {"asyncio", "socket", "selectors", "select", "ssl", "threading", "multiprocessing", "subprocess",
          "time", "random", "secrets"}  # fmt: skip
PURE_MAY_USE = {"numpy", "cryptography", "yaml", "imslab"}


@dataclass(frozen=True)
class Import:
    """One import: the module that has it, what it names, its line, and whether it runs on import."""

    importer: str
    imported: str
    line: int
    eager: bool


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    """Return the longest name in FLOORS that ``module`` lies in."""
    names = [name for name in FLOORS if module == name or module.startswith(name + ".")]
    return max(names, key=len, default="")


def floor(module: str) -> int:
    """Return the floor of a module of the package."""
    if module.startswith(("imslab.",)) and room(module):
        return FLOORS[room(module)]
    return ROOF


def imports(module: str, source: str, modules: Iterable[str] = MODULES) -> Iterator[Import]:
    """Yield every import in ``source``, those in functions and under TYPE_CHECKING too."""
    is_package = MODULES.get(module, Path()).name == "__init__.py"

    def visit(node: ast.AST, eager: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, node.lineno, eager) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")[
                    : None if is_package and node.level == 1 else -node.level + is_package
                ]
                base = ".".join([*package, *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(
                    module, full if full in modules or base == "imslab" else base, node.lineno, eager
                )
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        lazy = lazy or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for child in ast.iter_child_nodes(node):
            yield from visit(child, eager and not lazy)

    return visit(ast.parse(source), True)


ALL = [found for name, path in MODULES.items() for found in imports(name, path.read_text("utf-8"))]
OURS = [i for i in ALL if i.imported.split(".")[0] == "imslab"]


def goes_up(found: Import) -> bool:
    """Tell whether an import of ours leads to a higher floor; floor 5 may look at the roof (the version)."""
    if found.imported == "imslab" and floor(found.importer) == ROOF - 1:
        return False
    return floor(found.imported) > floor(found.importer)


def circle(arrows: Iterable[tuple[str, str]]) -> list[str]:
    """Return the names on a circle of ``arrows``, or an empty list."""
    graph: dict[str, set[str]] = {}
    for tail, head in arrows:
        if tail != head:
            graph.setdefault(tail, set()).add(head)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def show(found: Iterable[Import]) -> list[str]:
    return [f"{i.importer}:{i.line} imports {i.imported}" for i in found]


def test_every_module_has_a_floor() -> None:
    roofs = [name for name in MODULES if floor(name) == ROOF]
    assert set(roofs) <= {"imslab", "imslab.__main__"}, "give the new room a floor in FLOORS"


def test_no_import_goes_up() -> None:
    assert show(filter(goes_up, OURS)) == []


def test_no_circle_between_rooms() -> None:
    between = [(room(i.importer), room(i.imported)) for i in OURS if floor(i.importer) < ROOF]
    assert circle(between) == []


def test_no_circle_between_modules() -> None:
    # Only what runs on import: a function may look at its neighbour later.
    assert circle((i.importer, i.imported) for i in OURS if i.eager and i.importer != "imslab") == []


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    eager = [(i, i.imported.split(".")[0]) for i in ALL if i.eager]
    heavy = [i for i, top in eager if top in HEAVY - may_load(i.importer)]
    assert show(heavy) == []


def may_load(module: str) -> set[str]:
    """Return the heavy libraries that a module may import at once: its own, or those of its package."""
    inside = (libraries for name, libraries in LOADS_HEAVY.items() if f"{module}.".startswith(f"{name}."))
    return set().union(*inside)


def test_what_inherits_from_scapy_is_under_the_licence_of_scapy() -> None:
    inheriting = [name for name in MODULES if "scapy" in may_load(name)]
    assert inheriting
    first = [MODULES[name].read_text("utf-8").split("\n", 1)[0] for name in inheriting]
    assert [line for line in first if line != "# SPDX-License-Identifier: GPL-2.0-only"] == []


def test_floors_0_to_2_are_pure() -> None:
    low = [(i, i.imported.split(".")[0]) for i in ALL if floor(i.importer) <= 2]
    assert show(i for i, top in low if top in IMPURE) == []
    assert show(i for i, top in low if top not in sys.stdlib_module_names | PURE_MAY_USE) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("imslab.aka.digest", "from imslab.ims import hss"),
        ("imslab.sip.message", "def f():\n    import imslab.net.udp"),
        ("imslab.uicc.card", "from .pcsc import Reader"),
        ("imslab.errors", "from imslab import Lab"),
        ("imslab.capture.file", "from ..charts import ladder"),
        ("imslab.ims.ue", "if TYPE_CHECKING:\n    from imslab.lab import Lab"),
    ],
)
def test_an_arrow_that_goes_up_is_seen(module: str, source: str) -> None:
    assert any(map(goes_up, imports(module, source)))


def test_a_circle_is_seen() -> None:
    assert circle([("aka", "sip"), ("sip", "uicc"), ("uicc", "aka")])
    assert not circle([("aka", "sip"), ("uicc", "sip"), ("aka", "aka")])


def test_what_runs_on_import_is_told_from_what_does_not() -> None:
    found = imports("imslab.lab", "import a\nclass C:\n    import b\ndef f():\n    import c\n")
    assert [(i.imported, i.eager) for i in found] == [("a", True), ("b", True), ("c", False)]
