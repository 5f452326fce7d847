"""What the web server of the demo answers: a page for each subscriber, its settings, the client's files.

Spec: RFC 9110; W3C Content Security Policy Level 3. A machine: requests in, responses out, no socket. It sets
no cookie, names no other server, and answers only to its own names (else a rebound name could read a page).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from imslab.ims.http import Headers, Request, Response, text_response

CLIENT = Path(__file__).resolve().parent / "client"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_JSON = "application/json; charset=utf-8"
_SAFE: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(self), microphone=(self), geolocation=(), display-capture=()"),
    ("Cache-Control", "no-store"),
)


class Pages:
    """The machine behind the web server.

    ``settings``  for each subscriber, what the page must know: called for each request
    ``connect``   where pages may open a WebSocket: the P-CSCF, the bridges
    ``hosts``     what Host may be;  ``health``: the state of everything, in plain values
    ``deeds``     what else is answered: "METHOD /path" -> a function of the request
    """

    def __init__(
        self,
        settings: Mapping[str, Callable[[], Mapping[str, Any]]],
        *,
        connect: Callable[[], Sequence[str]],
        hosts: Callable[[], Sequence[str]],
        health: Callable[[], Mapping[str, Any]],
        deeds: Mapping[str, Callable[[Request, float], Response]] | None = None,
    ) -> None:
        self._settings, self._connect, self._hosts, self._health = settings, connect, hosts, health
        self._deeds = deeds or {}
        # Read once: what is served is what was there at the start, and no path leads out of the folder.
        self._files = {path.name: path.read_bytes() for path in CLIENT.iterdir() if path.suffix in _TYPES}
        self._folders = [[], *([name] for name in settings)]

    def __call__(self, request: Request, now: float) -> Response:
        """Return the response to one request."""
        if (request.get("Host") or "").lower() not in self._hosts():
            return text_response(421, "This server does not answer to that name.\n", _SAFE)
        path = request.target.partition("?")[0]
        deed = self._deeds.get(f"{request.method} {path}")
        if deed is not None:
            return deed(request, now)
        if request.method not in ("GET", "HEAD"):
            return text_response(405, "Only GET is answered here.\n", (*_SAFE, ("Allow", "GET, HEAD")))
        response = self._get(path)
        if request.method == "HEAD":
            return Response(response.status, headers=response.headers)
        return response

    def _get(self, path: str) -> Response:
        match path.strip("/").split("/"):
            case [""]:
                return self._answer(self._front(), _TYPES[".html"])
            case ["health"]:
                return self._answer(self._health_page(), _TYPES[".html"])
            case ["health.json"]:
                return self._answer(json.dumps(self._health()).encode(), _JSON)
            case [name] if name in self._settings:
                return self._answer(self._page(name), _TYPES[".html"])
            case [name, "settings.json"] if name in self._settings:
                return self._answer(json.dumps(self._settings[name]()).encode(), _JSON)
            case [*above, "client", file] if file in self._files and above in self._folders:
                return self._answer(self._files[file], _TYPES[Path(file).suffix])
        return text_response(404, "There is no such page.\n", _SAFE)

    def _answer(self, body: bytes, kind: str) -> Response:
        headers = (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", self._policy()),
            *_SAFE,
        )
        return Response(200, headers=headers, body=body)

    def _page(self, name: str) -> bytes:
        """Return the page; the client's files lie below its own path: so a trace tells whose they are."""
        return self._files["index.html"].replace(b'"/client/', f'"/{name}/client/'.encode())

    def _policy(self) -> str:
        """Own scripts, styles and pictures; WebSockets to the P-CSCF and the bridges; nothing else."""
        connect = " ".join(["'self'", *self._connect()])
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
            f"connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def _front(self) -> bytes:
        links = "".join(f'<li><a href="/{escape(name)}">{escape(name)}</a></li>' for name in self._settings)
        body = f'<h1>imslab</h1><p>Whose phone?</p><ul>{links}</ul><p><a href="/health">Health</a></p>'
        return _document("imslab demo", body)

    def _health_page(self) -> bytes:
        rows = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(_words(value))}</dd>"
            for name, value in self._health().items()
        )
        again = '<p><a href="/health">Look again</a></p>'
        return _document("Health", f"<h1>Health</h1><dl>{rows}</dl>{again}")


def _document(title: str, body: str) -> bytes:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        '<link rel="icon" href="/client/icon.svg" type="image/svg+xml">'
        f'<link rel="stylesheet" href="/client/style.css"></head><body><main class="plain">{body}</main>'
        "</body></html>"
    ).encode()


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value)) or "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_words(one)}" for key, one in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
