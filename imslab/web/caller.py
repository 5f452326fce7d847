"""What one page says to the bridge, and what it gets: JSON, each answer with the ``id`` of its question.

    {"id": 1, "do": "openLogicalChannel", "session": "5f..", "aid": "a0000000871004"}
    {"id": 1, "ok": {"channel": "c2..", "response": "62.."}}   or   {"id": 1, "error": {"name", "message"}}

Spec: GlobalPlatform, Open Mobile API 3.3, sections 6 and 7: the deeds bear its names. Before a page is paired
it may do nothing but pair. Whatever it does, its memory here is bounded, and a flood ends its connection.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from imslab.errors import BridgeRefused, CardError, ImslabError, Malformed
from imslab.ims.node import RandomSource
from imslab.octets import unhex
from imslab.uicc import apdu, explain_apdu, status
from imslab.web.answer import Question, answer
from imslab.web.bucket import Bucket
from imslab.web.element import Visit

if TYPE_CHECKING:
    from aiohttp import web

    from imslab.web.bridge import Bridge

TRANSMIT, ANSWER = "transmit", "answer"  # the two modes of a bridge
LONGEST = 4096  # octets of a question
_STRIKES = 50  # refusals for flooding, then the connection is closed
_STRANGERS = ("hello", "pair", "resume")  # what a page may ask before it is paired


class Caller:
    """One connected page: its questions are answered one after the other."""

    def __init__(
        self, bridge: "Bridge", socket: "web.WebSocketResponse", origin: str, random: RandomSource
    ) -> None:
        self.bridge, self.origin = bridge, origin
        self._random = random
        authenticate = bridge.mode == TRANSMIT
        self.visit = Visit(bridge.elements, origin, random=random, authenticate=authenticate)
        self._socket, self._paired, self._strikes = socket, False, 0
        now = bridge.clock()
        self._questions = Bucket("questions", *bridge.rates[0], now)
        self._authentications = Bucket("authentications", *bridge.rates[1], now)
        self._deeds: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]] = {
            "hello": self._hello,
            "pair": self._pair,
            "resume": self._resume,
            "readers": self._readers,
            "openSession": self._open_session,
            "openLogicalChannel": self._open_channel,
            "transmit": self._transmit,
            "answer": self._answer,
            "closeChannel": self._close_channel,
            "closeSession": self._close_session,
        }

    async def run(self) -> None:
        """Answer until the page goes, floods, or says what is no question."""
        from aiohttp import WSMsgType

        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                await self.end(1003, b"text only")
                return
            await self.tell(await self._answered(message.data))
            if self._strikes > _STRIKES:
                self.bridge.audit.note(self.bridge.clock(), self.origin, "flood", "connection closed")
                await self.end(1008, b"too many questions")
                return

    async def tell(self, said: Mapping[str, Any]) -> None:
        """Send something to the page; one that does not take it is not waited for."""
        try:
            await asyncio.wait_for(self._socket.send_str(json.dumps(said)), 5)
        except (ConnectionError, RuntimeError, TimeoutError):
            return

    async def end(self, code: int, reason: bytes) -> None:
        """Close the connection, with a reason (RFC 6455, 7.4)."""
        await self._socket.close(code=code, message=reason)

    async def _answered(self, text: str) -> dict[str, Any]:
        number: int | None = None
        try:
            question = _question(text)
            number = question["id"]
            self._questions.take(self.bridge.clock())
            return {"id": number, "ok": await self._do(question)}
        except BridgeRefused as refusal:
            self._strikes += refusal.name == "TooMany"
            return _error(number, refusal.name, str(refusal))
        except CardError as error:
            return _error(number, "CardError", str(error))
        except Malformed as error:
            return _error(number, "BadRequest", str(error))

    async def _do(self, question: Mapping[str, Any]) -> dict[str, Any]:
        name = question.get("do")
        if not isinstance(name, str) or name not in self._deeds:
            raise BridgeRefused("BadRequest", f"do is one of {', '.join(self._deeds)}")
        if not self._paired and name not in _STRANGERS:
            raise BridgeRefused("NotPaired", "pair this page first: the bridge shows a code")
        return await self._deeds[name](question)

    def _note(self, what: str, outcome: str = "ok") -> None:
        self.bridge.audit.note(self.bridge.clock(), self.origin, what, outcome)

    # -- what a page may ask ------------------------------------------------------------------

    async def _hello(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"mode": self.bridge.mode, "paired": self._paired}

    async def _pair(self, question: Mapping[str, Any]) -> dict[str, Any]:
        pairing, shown = self.bridge.pairing, self.bridge.pairing.code
        try:
            token = pairing.redeem(_text(question, "code"), self.origin, self.bridge.clock())
        except BridgeRefused as refusal:
            self._note("pair", f"refused: {refusal}")
            raise
        finally:
            if pairing.code != shown:
                self.bridge.show_code()
        self._paired = True
        self._note("pair")
        return {"token": token}

    async def _resume(self, question: Mapping[str, Any]) -> dict[str, Any]:
        try:
            self.bridge.pairing.check(_text(question, "token"), self.origin, self.bridge.clock())
        except BridgeRefused as refusal:
            self._note("resume", f"refused: {refusal}")
            raise
        self._paired = True
        return {}

    async def _readers(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"readers": self.bridge.readers()}

    async def _open_session(self, question: Mapping[str, Any]) -> dict[str, Any]:
        handle, atr = await self.visit.open_session(_text(question, "reader"))
        return {"session": handle, "atr": atr.hex()}

    async def _open_channel(self, question: Mapping[str, Any]) -> dict[str, Any]:
        aid = unhex("aid", _text(question, "aid"))
        try:
            handle, fcp = await self.visit.open_channel(_text(question, "session"), aid)
        except ImslabError as error:
            self._note(f"open a channel to {aid.hex()}", f"refused: {error}")
            raise
        self._note(f"open a channel to {aid.hex()}")
        return {"channel": handle, "response": fcp.hex()}

    async def _transmit(self, question: Mapping[str, Any]) -> dict[str, Any]:
        command = unhex("command", _text(question, "command"))
        asks = command[1:2] == bytes((apdu.AUTHENTICATE,))
        if asks:
            self._authentications.take(self.bridge.clock())
        try:
            response = await self.visit.transmit(_text(question, "channel"), command)
        except ImslabError as error:
            # Of the command the header alone: what follows it may be a secret.
            self._note(f"{explain_apdu(command)} ({command[:4].hex()})", f"refused: {error}")
            raise
        if asks:
            self._note(explain_apdu(command), status.meaning(int.from_bytes(response[-2:])))
        return {"response": response.hex()}

    async def _answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        if self.bridge.mode != ANSWER:
            raise BridgeRefused("BadRequest", "this bridge passes commands: the page computes the answer")
        self._authentications.take(self.bridge.clock())
        session, asked = self.visit.session(_text(question, "session")), Question.parse(question)
        element = session.element
        try:
            said = await element.run(
                lambda link: answer(element, link, self.origin, asked, self._random), session.power_up
            )
        except ImslabError as error:
            self._note(f"answer a challenge of {asked.realm}", f"refused: {error}")
            raise
        self._note(f"answer a challenge of {asked.realm}", "AUTS" if "auts" in said else "ok")
        return {"authorization": said}

    async def _close_channel(self, question: Mapping[str, Any]) -> dict[str, Any]:
        await self.visit.close_channel(_text(question, "channel"))
        return {}

    async def _close_session(self, question: Mapping[str, Any]) -> dict[str, Any]:
        await self.visit.close_session(_text(question, "session"))
        return {}


def _question(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise BridgeRefused("BadRequest", "a question is a JSON object") from None
    number = said.get("id") if isinstance(said, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise BridgeRefused("BadRequest", "a question is a JSON object with an id, a number")
    return dict(said)


def _text(question: Mapping[str, Any], name: str) -> str:
    value = question.get(name)
    if not isinstance(value, str):
        raise BridgeRefused("BadRequest", f"{name} is missing, or no text")
    return value


def _error(number: int | None, name: str, message: str) -> dict[str, Any]:
    return {"id": number, "error": {"name": name, "message": message}}
