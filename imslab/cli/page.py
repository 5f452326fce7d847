"""The report of a capture as one HTML file to send to a colleague: no script, nothing from elsewhere, no key.

It shows what ``imslab inspect`` prints, with the findings first, and the pictures: ladders, timelines of AKA,
streams over time. It follows the reader's choice of light or dark, fits a narrow window, and prints.
"""

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from imslab.cli.summary import CALLS, DTLS, ESP, REGISTRATIONS, STREAMS, Column, frame_span, safe
from imslab.errors import ImslabError

if TYPE_CHECKING:
    from imslab.capture import Capture

Json = Mapping[str, Any]

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'"  # whatever a capture holds, nothing is fetched or run
)
MOST_PICTURES = 8  # ladders of calls, of registrations, and charts of streams, each
MOST_ROWS = 500  # of one table: --json has all


def page(capture: "Capture", report: Json) -> str:
    """Return the whole page. ``report`` is that of ``imslab.capture.report``."""
    title = f"{report['capture']['file']}: what is in it"
    style = (files("imslab.cli") / "page.css").read_text("utf-8")
    body = "\n".join(_body(capture, report))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{_text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _body(capture: "Capture", report: Json) -> Iterator[str]:
    yield from _head(report)
    yield from _findings(report["findings"])
    yield from _section("Registrations", report["registrations"], REGISTRATIONS)
    yield from _pictures(
        (f"{login.impu}: {login.result}", [login.ladder, login.timeline]) for login in capture.logins
    )
    yield from _section("Calls", report["calls"], CALLS)
    yield from _pictures((f"{call.caller} to {call.callee}", [call.ladder]) for call in capture.call_list)
    yield from _section("Streams", report["rtp"], STREAMS)
    yield from _pictures((_stream(stream), [_chart(stream)]) for stream in capture.rtp)
    yield from _section("DTLS", report["dtls"], DTLS)
    yield from _section("ESP", report["esp"], ESP)
    if report["warnings"]:
        yield f"<h2>Warnings</h2><ul>{''.join(f'<li>{_text(one)}</li>' for one in report['warnings'])}</ul>"
    yield (
        "<footer>Made by imslab inspect --html. It holds names, numbers and addresses of the capture, and no "
        "key; imslab anonymise makes a capture that can be given to anybody.</footer>"
    )


def _head(report: Json) -> Iterator[str]:
    capture, sip = report["capture"], report["sip"]
    yield f"<h1>{_text(capture['file'])}</h1>"
    first, last = capture["first"], capture["last"]
    if first is not None:
        when = datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        yield f'<p class="soft">{when}, {last - first:.1f} s</p>'
    facts = [f"{capture['packets']} packets", capture["format"], *capture["link_types"]]
    facts += [f"{count} {name}" for name, count in (
        ("SIP messages", sip["messages"]), ("STUN messages", report["stun"]["messages"]),
        ("RTCP packets", report["rtcp"]["packets"]), ("APDUs", report["apdu"]["commands"]),
    ) if count]  # fmt: skip
    facts += ["the file is cut"] if capture["truncated"] else []
    yield f'<ul class="facts">{"".join(f"<li>{_text(one)}</li>" for one in facts)}</ul>'


def _findings(findings: Sequence[Json]) -> Iterator[str]:
    yield "<h2>Findings</h2>"
    if not findings:
        yield "<p>Nothing was found that contradicts a specification or gives a secret away.</p>"
    for one in findings:
        where = f" · frames {frame_span(one['frames'])}" if one["frames"] else ""
        yield (
            f'<div class="finding {_text(one["severity"])}">'
            f"<p><b>{_text(one['severity'])}</b> {_text(one['what'])}</p>"
            f'<p>{_text(one["why"])}</p><p class="soft">{_text(one["clause"])}{_text(where)}</p></div>'
        )


def _section(title: str, rows: Sequence[Json], columns: Sequence[Column]) -> Iterator[str]:
    """Yield a table without the columns in which nothing stands; nothing for no rows."""
    if not rows:
        return
    cells = [[value(row) for row in rows[:MOST_ROWS]] for _, value in columns]
    shown = [number for number, column in enumerate(cells) if any(column)]
    head = "".join(f"<th>{_text(columns[number][0])}</th>" for number in shown)
    lines = (
        f"<tr>{''.join(f'<td>{_text(cells[number][row])}</td>' for number in shown)}</tr>"
        for row in range(len(cells[0]))
    )
    yield f"<h2>{title}: {len(rows)}</h2>"
    body = "".join(lines)
    yield f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    if len(rows) > MOST_ROWS:
        yield f'<p class="soft">... and {len(rows) - MOST_ROWS} more: --json has all</p>'


def _pictures(things: Iterable[tuple[str, Sequence[Any]]]) -> Iterator[str]:
    """Yield the pictures of the first few; what cannot be drawn (too many arrows) is said in its place."""
    left_out = 0
    for number, (title, draws) in enumerate(things):
        if number >= MOST_PICTURES:
            left_out += 1
            continue
        yield f"<h3>{_text(title)}</h3>"
        for draw in draws:
            try:
                yield f'<div class="picture">{draw().svg()}</div>'
            except ImslabError as error:
                yield f'<p class="soft">{_text(str(error))}</p>'
    if left_out:
        yield f'<p class="soft">... and the pictures of {left_out} more are left out</p>'


def _stream(stream: Any) -> str:
    codec = stream.codec.name if stream.codec else f"type {stream.payload_type}"
    ends = [f"{host}:{port}" for host, port in (stream.source, stream.destination)]
    return f"{codec}, {ends[0]} to {ends[1]}"


def _chart(stream: Any) -> Any:
    from imslab.charts import rtp

    return lambda: rtp(stream)


def _text(text: str) -> str:
    return html.escape(safe(text))
