"""A machine that answers HTTP requests, on a socket: aiohttp carries, the machine thinks, the tap notes.

Spec: RFC 9112. No TLS: the octets in the trace are the lesson. A product runs Ub and Ua in TLS (TS 33.222).
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from imslab.errors import Malformed, NetworkError
from imslab.ims.http import Request, Response, text_response
from imslab.ims.node import Address
from imslab.net.tap import Clock, Tap

if TYPE_CHECKING:
    from aiohttp import web

Machine = Callable[[Request, float], Response]
_LONGEST_BODY = 1 << 20  # octets
_SECONDS = 10.0  # that a server in the lab may take


class HttpServer:
    """Serves one machine on one address; ``port`` 0 takes any that is free, ``tls`` speaks https."""

    def __init__(
        self,
        machine: Machine,
        *,
        host: str,
        port: int = 0,
        clock: Clock,
        tap: Tap | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address = Address(host, port, "TCP")
        self._machine, self._clock, self._tap, self._tls = machine, clock, tap, tls
        self._web: web.Server | None = None
        self._server: asyncio.Server | None = None
        self._seen: set[Address] = set()

    async def start(self) -> None:
        """Open the socket; NetworkError when the address is taken or not there."""
        from aiohttp import web

        self._web = web.Server(self._serve, access_log=None)
        host, port, _ = self.address
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._web, host, port, ssl=self._tls
            )
        except OSError as error:
            why = error.strerror or str(error)
            raise NetworkError(f"cannot listen on {host}:{port}: {why}") from None
        self.address = Address(host, self._server.sockets[0].getsockname()[1], "TCP")

    def close(self) -> None:
        """Close the socket and all connections; a server can be closed twice."""
        if self._server is not None and self._web is not None:
            self._server.close()
            for connection in self._web.connections:
                connection.force_close()
            self._server = None

    async def _serve(self, received: "web.BaseRequest") -> "web.StreamResponse":
        from aiohttp import web

        peer = _peer(received)
        request = Request(
            received.method,
            received.raw_path,
            headers=_headers(received.raw_headers),
            body=await received.read(),
        )
        self._note(peer, self.address, bytes(request))
        answer = self._answer(request)
        reply = web.Response(status=answer.status, reason=answer.reason, body=answer.body)
        for name, value in answer.headers:
            reply.headers[name] = value
        await reply.prepare(received)  # it adds Date and Server: noted as they are sent
        sent = Response(answer.status, headers=tuple(reply.headers.items()), body=answer.body)
        self._note(self.address, peer, bytes(sent))
        await reply.write_eof()
        return reply

    def _answer(self, request: Request) -> Response:
        try:
            return self._machine(request, self._clock())
        except Malformed as error:
            return text_response(400, str(error))

    def _note(self, source: Address, destination: Address, octets: bytes) -> None:
        if self._tap is None:
            return
        client = destination if source == self.address else source
        if client not in self._seen:
            self._seen.add(client)
            self._tap.opened(client, self.address)
        self._tap.stream(source, destination, octets)


async def send(request: Request, server: Address, *, host: str) -> Response:
    """Send one request from ``host`` to ``server`` and return the answer; NetworkError when there is none."""
    import aiohttp

    there = f"http://{server.host}:{server.port}"
    limits: Mapping[str, Any] = {"max_field_size": 8190, "max_line_size": 8190}
    try:
        connector = aiohttp.TCPConnector(local_addr=(host, 0), force_close=True)
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, **limits) as session,
            session.request(
                request.method,
                _url(there, request.target),
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                skip_auto_headers=("Accept-Encoding", "Accept"),
            ) as answer,
        ):
            body = await answer.content.read(_LONGEST_BODY + 1)
            while body and len(body) <= _LONGEST_BODY and (more := await answer.content.read(_LONGEST_BODY)):
                body += more
            if len(body) > _LONGEST_BODY:
                raise NetworkError(f"{there} answers with more than {_LONGEST_BODY} octets")
            return Response(answer.status, headers=_headers(answer.raw_headers), body=body)
    except TimeoutError:
        raise NetworkError(f"{there} does not answer in {_SECONDS:.0f} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NetworkError(f"{there} cannot be asked: {error}") from None


def _url(there: str, target: str) -> Any:
    from yarl import URL

    return URL(there + target, encoded=True)  # as it was hashed: not a letter may be changed


def _headers(raw: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)


def _peer(received: "web.BaseRequest") -> Address:
    transport = received.transport
    name = transport.get_extra_info("peername") if transport is not None else None
    host, port = name[:2] if name else ("127.0.0.1", 0)
    return Address(host, port, "TCP")
