"""``imslab inspect FILE``: everything that can be read in a capture, as text or as JSON.

Keys do not belong into the history of a shell: like those of ``imslab explain`` they may be given as
``@file``, or in the environment, as IMSLAB_K, IMSLAB_OP, IMSLAB_OPC and IMSLAB_SRTP. Nothing here loads
pandas: a program waits.
"""

import atexit
import gc
import json as json_format
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imslab.cli.explain import from_environment, from_file
from imslab.errors import ImslabError

if TYPE_CHECKING:
    from imslab.capture import Capture

Text = str | None
Texts = list[str] | None
STDIN = "-"
_PATIENCE = 2.0  # seconds before a progress bar appears
_SLOW = 20_000_000  # octets of a file that may take so long

Step = tuple[str, Callable[["Capture"], Any]]
STEPS: Sequence[Step] = (
    ("SIP", lambda capture: capture.sip),
    ("streams and keys", lambda capture: capture.rtp),
    ("RTCP, DTLS, STUN", lambda capture: (capture.rtcp, capture.dtls, capture.stun)),
    ("card and network", lambda capture: (capture.apdu_events, capture.cx_events, capture.http)),
    ("registrations", lambda capture: capture.logins),
    ("calls", lambda capture: capture.call_list),
)


def inspect(
    file: Annotated[str, typer.Argument(metavar="FILE", help="a capture (pcap, pcapng); - is stdin")],
    k: Annotated[Text, typer.Option(help="subscriber key, or @file")] = None,
    op: Annotated[Text, typer.Option(help="operator value OP, or @file")] = None,
    opc: Annotated[Text, typer.Option(help="OPc: OP bound to K, or @file")] = None,
    profile: Annotated[Texts, typer.Option(help="profile of a subscriber; may stand several times")] = None,
    keylog: Annotated[Text, typer.Option(help="NSS key log with the secrets of DTLS connections")] = None,
    srtp: Annotated[
        Texts, typer.Option(help="PROFILE:base64 of an SRTP key and salt, or @file; may stand several times")
    ] = None,
    esp_sa: Annotated[Text, typer.Option(help="Wireshark's table of IPsec associations (esp_sa)")] = None,
    export_wireshark: Annotated[
        Text, typer.Option(metavar="DIR", help="write a folder with which Wireshark opens the capture")
    ] = None,
    decrypted: Annotated[
        Text, typer.Option(metavar="FILE", help="write a pcapng in which ESP and SRTP are open")
    ] = None,
    wav: Annotated[Text, typer.Option(metavar="DIR", help="write the sound of each stream")] = None,
    html: Annotated[
        Text, typer.Option(metavar="FILE", help="write the report as one page, with its pictures")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="print JSON (data/schema/inspect.schema.json)")
    ] = False,
) -> None:
    """Say what is in a capture: registrations, calls, streams, what could be opened, and what is wrong.

    Keys that stand in the capture itself (SDES, a Decryption Secrets Block) need not be given. Others are
    kept out of the shell's history as @file (--k @k.hex), or in the environment (IMSLAB_K, IMSLAB_OP,
    IMSLAB_OPC, IMSLAB_SRTP).
    """
    _start_fast()
    from imslab.capture import open_capture
    from imslab.capture.report import report

    capture = open_capture(
        sys.stdin.buffer if file == STDIN else file,
        **{name: _key(name, value) for name, value in (("k", k), ("op", op), ("opc", opc))},
        profile=profile or None,
        keylog=keylog,
        esp_sa=esp_sa,
        srtp=[key for one in srtp or _words("SRTP") if (key := from_file("srtp", one))],
    )
    _read(capture, slow=file == STDIN or _size(file) >= _SLOW)
    for line in _exported(capture, export_wireshark, decrypted, wav):
        print(line, file=sys.stderr)
    found = report(capture)
    if html is not None:
        print(_paged(capture, found, html), file=sys.stderr)
    if json:
        print(json_format.dumps(found, indent=2))
    elif html is None:
        from imslab.cli.summary import show

        show(found)


def _start_fast() -> None:
    """Leave out what costs time and helps nobody here: a tenth of the run on a large capture."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts threads for a linear algebra not used
    gc.set_threshold(200_000)  # what a capture holds is no circle, and is not to be searched for one
    atexit.register(gc.freeze)  # neither at the end


def _paged(capture: "Capture", found: dict[str, Any], file: str) -> str:
    """Write the report as a page; return a line on it."""
    from imslab.cli.page import page

    text = page(capture, found)
    try:
        Path(file).write_text(text, "utf-8")
    except OSError as error:
        raise ImslabError(f"{file} cannot be written: {error.strerror or error}") from None
    return f"{file}: {len(text):,} octets; it holds the names and numbers of the capture, and no key"


def _exported(capture: "Capture", folder: Text, decrypted: Text, wav: Text) -> Iterator[str]:
    """Write what was asked for; yield a line on each."""
    if folder is decrypted is wav is None:
        return
    from imslab.capture import export

    if folder is not None:
        files = export.wireshark(capture, folder)
        yield f"{len(files)} files in {folder}: README.txt says how; they hold keys, keep them to yourself"
    if decrypted is not None:
        yield f"{export.decrypted(capture, decrypted)} frames are in clear in {decrypted}"
    if wav is not None:
        sounds, silent = export.wav(capture, wav)
        yield f"{len(sounds)} sounds in {wav}"
        yield from silent


def _read(capture: "Capture", *, slow: bool) -> None:
    """Read everything, with a progress bar on stderr when that takes long."""
    if not slow or not sys.stderr.isatty():
        return
    from tqdm import tqdm

    look: dict[str, Any] = {"file": sys.stderr, "leave": False, "unit": "step"}
    with tqdm(total=len(STEPS), delay=_PATIENCE, **look) as bar:
        for name, step in STEPS:
            bar.set_description(name)
            step(capture)
            bar.update()


def _size(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except OSError:
        return 0  # whoever opens it says what is wrong


def _key(name: str, value: Text) -> Text:
    return from_file(name, value or from_environment(name))


def _words(name: str) -> list[str]:
    return os.environ.get(f"IMSLAB_{name}", "").split()
