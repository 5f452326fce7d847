"""The data that comes with a checkout: lab subscribers, captured traces, published vectors.

``data/`` lies beside the package, not in it: a wheel has none. Numbers that stand in a
specification live there with their source (a vector file without one is refused).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from imslab.errors import ImslabError, Malformed

_ROOT = Path(__file__).resolve().parent.parent / "data"
_SOURCE = ("source", "sources")


def path(*parts: str) -> Path:
    """Return the path of a file in ``data/``, for example ``path("traces", "register-akav2.pcapng")``.

    Raises ImslabError when there is no ``data/`` (not a checkout), or no such file in it.
    """
    if not _ROOT.is_dir():
        raise ImslabError("data/ is not beside the package: clone the repository and work in the checkout")
    name = "/".join(parts)
    try:
        found = _ROOT.joinpath(*parts).resolve()
        there = found.exists()
    except (OSError, ValueError):  # no file can have this name: too long, or with a NUL
        raise ImslabError(f"there is no data/{name[:80]!r}") from None
    if not found.is_relative_to(_ROOT):
        raise ImslabError(f"{name!r} leads out of data/")
    if not there:
        raise ImslabError(f"there is no data/{name}{_there_are(found.parent)}")
    return found


def profile_path(name: str) -> Path:
    """Return the path of a lab subscriber's profile, for example ``profile_path("alice")``."""
    return path("profiles", f"{name}.json")


def vectors(name: str) -> dict[str, Any]:
    """Return the published known answers in ``data/vectors/<name>.json``.

    Raises Malformed when the file is not JSON, or does not say where its numbers come from.
    """
    file = path("vectors", f"{name}.json")
    try:
        content = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise Malformed(f"data/vectors/{file.name} is not JSON: {error}") from None
    if not isinstance(content, dict) or not _is_sourced(content):
        raise Malformed(f"data/vectors/{file.name} does not say where each of its numbers comes from")
    return content


def _is_sourced(content: dict[str, Any]) -> bool:
    """Tell whether the file, or every entry of each list that gives any source, has one."""
    if _names_one(content):
        return True
    lists = [entries for entries in content.values() if isinstance(entries, list)]
    sourced = [entries for entries in lists if any(map(_names_one, entries))]
    return bool(sourced) and all(map(_names_one, (entry for entries in sourced for entry in entries)))


def _names_one(entry: object) -> bool:
    return isinstance(entry, dict) and any(entry.get(key) for key in _SOURCE)


def _there_are(directory: Path) -> str:
    names: Iterable[str] = sorted(p.stem for p in directory.iterdir()) if directory.is_dir() else ()
    listed = ", ".join(names)
    return f"; there are: {listed}" if listed else ""
