"""The report of a capture for a person: what happened, what was opened, what is wrong."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

Json = Mapping[str, Any]
Column = tuple[str, Callable[[Json], str]]

MOST = 30  # rows of one table: --json has all
_WIDTH = 140  # where the output is no terminal
_SHORT = 24  # letters that a column keeps in any case

REGISTRATIONS: Sequence[Column] = (
    ("public identity", lambda row: row["impu"]),
    ("algorithm", lambda row: row["algorithm"] or "none"),
    ("result", lambda row: _with_status(row["result"], row["status"])),
    ("resync", lambda row: "yes" if row["resync"] else ""),
    ("verified", lambda row: _verdict(row["aka"]["verified"] if row["aka"] else None)),
    ("frames", lambda row: frame_span(row["frames"])),
)
CALLS: Sequence[Column] = (
    ("from", lambda row: row["from"]),
    ("to", lambda row: row["to"]),
    ("state", lambda row: _with_status(row["state"], row["status"])),
    ("setup", lambda row: _seconds(row["setup_s"])),
    ("ringing", lambda row: _seconds(row["ringing_s"])),
    ("duration", lambda row: _seconds(row["duration_s"])),
    ("frames", lambda row: frame_span(row["frames"])),
)
STREAMS: Sequence[Column] = (
    ("from", lambda row: f"{row['src']}:{row['sport']}"),
    ("to", lambda row: f"{row['dst']}:{row['dport']}"),
    ("SSRC", lambda row: row["ssrc"]),
    ("codec", lambda row: row["codec"] or f"type {row['payload_type']}"),
    ("packets", lambda row: str(row["packets"])),
    ("lost", lambda row: f"{row['lost']} ({row['loss']:.1%})"),
    ("jitter ms", lambda row: "?" if row["jitter_ms_mean"] is None else f"{row['jitter_ms_mean']:.1f}"),
    ("MOS", lambda row: "" if row["mos"] is None else f"{row['mos']:.1f}"),
    ("DTMF", lambda row: row["dtmf"]),
    ("protection", lambda row: _protection(row)),
)
DTLS: Sequence[Column] = (
    ("client", lambda row: row["client"]),
    ("server", lambda row: row["server"]),
    ("version", lambda row: row["version"] or "?"),
    ("SRTP profile", lambda row: row["srtp_profile"] or "none seen"),
    ("fingerprints", lambda row: _fingerprints(row["matches_sdp"])),
    ("frames", lambda row: frame_span(row["frames"])),
)
ESP: Sequence[Column] = (
    ("from", lambda row: row["src"]),
    ("to", lambda row: row["dst"]),
    ("SPI", lambda row: row["spi"]),
    ("packets", lambda row: str(row["packets"])),
    ("opened", lambda row: str(row["decrypted"])),
)


def show(report: Json) -> None:
    """Print a report to stdout."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    for line in _head(report):
        console.print(line, markup=False)
    for title, rows, columns in (
        ("Registrations", report["registrations"], REGISTRATIONS),
        ("Calls", report["calls"], CALLS),
        ("Streams", report["rtp"], STREAMS),
        ("DTLS", report["dtls"], DTLS),
        ("ESP", report["esp"], ESP),
    ):
        _table(console, title, rows, columns)
    _said(console, "Findings", [_finding(one) for one in report["findings"]])
    _said(console, "Warnings", report["warnings"])


def _head(report: Json) -> Iterable[str]:
    file, sip = report["capture"], report["sip"]
    seconds = (file["last"] or 0) - (file["first"] or 0)
    links = ", ".join(file["link_types"]) or "nothing"
    yield f"{file['file']}: {file['packets']} packets in {seconds:.1f} s, {file['format']}, {links}"
    if file["truncated"]:
        yield "The file is cut: this is what comes before the cut."
    if sip["messages"]:
        methods = ", ".join(f"{count} {name}" for name, count in sip["requests"].items())
        answers = ", ".join(f"{count} x {status}" for status, count in sip["responses"].items())
        yield f"SIP: {sip['messages']} messages: {'; '.join(filter(None, (methods, answers)))}"
    for name, count in (
        ("SIP that cannot be read", sip["malformed"]),
        ("STUN", report["stun"]["messages"]),
        ("RTCP", report["rtcp"]["packets"]),
        ("APDUs", report["apdu"]["commands"]),
    ):
        if count:
            yield f"{name}: {count}"


def _table(console: "Console", title: str, rows: Sequence[Json], columns: Sequence[Column]) -> None:
    from rich import box
    from rich.table import Table

    if not rows:
        return
    table = Table(title=f"{title}: {len(rows)}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    cells = [[safe(value(row)) for row in rows[:MOST]] for _, value in columns]
    shown = [number for number, column in enumerate(cells) if any(column)]
    for number in shown:
        # Where the terminal is narrow, long names give way, and not what happened to them.
        name, widest = columns[number][0], max(map(len, cells[number]))
        least = max(len(name), min(widest, _SHORT))
        table.add_column(name, overflow="ellipsis", no_wrap=widest <= _SHORT, min_width=least)
    for place in range(len(cells[0])):
        table.add_row(*(_plain(cells[number][place]) for number in shown))
    console.print(table)
    if len(rows) > MOST:
        console.print(f"... and {len(rows) - MOST} more: --json has all", markup=False)


def _said(console: "Console", title: str, lines: Sequence[str]) -> None:
    if lines:
        console.print(f"{title}: {len(lines)}", markup=False)
        for line in lines[:MOST]:
            console.print(f"  {safe(line)}", markup=False)
        if len(lines) > MOST:
            console.print(f"  ... and {len(lines) - MOST} more: --json has all", markup=False)


def _finding(finding: Json) -> str:
    frames = f" (frames {frame_span(finding['frames'])})" if finding["frames"] else ""
    return f"{finding['severity']}: {finding['what']}{frames}. {finding['why']}"


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def safe(text: str) -> str:
    """Return text without what a terminal would take for a command: it comes from the network."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _with_status(word: str, status: int | None) -> str:
    return f"{word} ({status})" if status else word


def _verdict(verified: bool | None) -> str:
    return {True: "yes", False: "NO", None: ""}[verified]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.1f} s"


def frame_span(frames: Sequence[int]) -> str:
    """Return the first and the last of some frames."""
    if len(frames) < 2:
        return "".join(map(str, frames))
    return f"{frames[0]}-{frames[-1]}"


def _protection(row: Json) -> str:
    if row["encrypted"] is None:
        return "not known"
    if row["encrypted"] == "none":
        return "none"
    return f"SRTP, {row['decrypted']} of {row['packets']} opened"


def _fingerprints(matches: Mapping[str, bool | None]) -> str:
    words = {True: "as in SDP", False: "NOT THAT OF SDP", None: "not in SDP"}
    return ", ".join(f"{role}: {words[match]}" for role, match in matches.items())
