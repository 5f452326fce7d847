"""``imslab anonymise FILE OUT``: a capture that may be given away, in which every number still fits.

The seed from which the other names follow is random, and forgotten, unless one is given. Keys may be given as
``@file``, or in the environment, as those of ``imslab explain``.
"""

import gzip
import json as json_format
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imslab.cli.explain import from_environment, from_file
from imslab.errors import ImslabError

if TYPE_CHECKING:
    from imslab.capture.anonymise import Anonymised

Text = str | None
_SEED = 32  # octets
_LEFTOVERS = 1  # exit status: a name that was to be replaced still stands


def anonymise(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a capture (pcap, pcapng)")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="the file to write; .gz packs it")],
    k: Annotated[Text, typer.Option(help="subscriber key, or @file")] = None,
    op: Annotated[Text, typer.Option(help="operator value OP, or @file")] = None,
    opc: Annotated[Text, typer.Option(help="OPc: OP bound to K, or @file")] = None,
    profile: Annotated[
        list[str] | None, typer.Option(help="profile of a subscriber; may stand several times")
    ] = None,
    seed: Annotated[
        Text, typer.Option(help="16 letters or more, or @file: the same seed gives the same names; keep it")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> int:
    """Replace names, numbers, addresses, keys and media in a capture; lengths and times stay.

    With the subscriber's key the challenges and digests are made anew, with a key to throw away that is
    printed: imslab inspect OUT --k ... --opc ... verifies them. The exit status is 1 when a name still
    stands.
    """
    from imslab.capture.anonymise import anonymise as made_anonymous

    if out.exists() and file.exists() and out.samefile(file):
        raise ImslabError(f"{out} is the capture itself: write to another file")
    given = {name: from_file(name, value or from_environment(name)) for name, value in
             (("k", k), ("op", op), ("opc", opc))}  # fmt: skip
    secret = from_file("seed", seed)
    made = made_anonymous(
        file,
        seed=os.urandom(_SEED) if secret is None else secret.encode("utf-8", "surrogateescape"),
        profile=profile or None,
        **given,
    )
    _write(out, made.octets)
    print(json_format.dumps(as_json(made), indent=2) if json else _text(out, made))
    return _LEFTOVERS if made.report.leftovers else 0


def as_json(made: "Anonymised") -> dict[str, Any]:
    """Return keys and report as JSON has them."""
    report = asdict(made.report)
    return {"keys": [dict(keys) for keys in made.keys], "report": report}


def _text(out: Path, made: "Anonymised") -> str:
    lines = [str(made.report)]
    for keys in made.keys:
        lines.append("keys to throw away: " + " ".join(_shown(keys)))
        if "opc" in keys:
            lines.append(f"imslab inspect {out} --k {keys['k']} --opc {keys['opc']}")
    return "\n".join(lines)


def _shown(keys: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in keys.items()]


def _write(out: Path, octets: bytes) -> None:
    packed = gzip.compress(octets, mtime=0) if out.suffix == ".gz" else octets
    try:
        out.write_bytes(packed)
    except OSError as error:
        raise ImslabError(f"{out} cannot be written: {error.strerror or error}") from None
