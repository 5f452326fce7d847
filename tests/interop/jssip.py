"""JsSIP in Node at work: what it asks for (an offer, an answer to a challenge) is given."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.interop.network import PATIENCE, ended

Given = Callable[[dict[str, Any]], Awaitable[str]]


class JsSip:
    """One JsSIP; ``gives`` answers what it asks for: event -> a coroutine that returns a text."""

    def __init__(self, modules: Path, gives: dict[str, Given] | None = None) -> None:
        self._modules, self._gives = modules, gives or {}
        self.events: list[dict[str, Any]] = []
        self._told = asyncio.Condition()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        script = Path(__file__).with_name("jssip.cjs")
        self._process = await asyncio.create_subprocess_exec(
            "node", str(script), str(self._modules),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._listening = asyncio.create_task(self._listen())
        await self.event("ready")
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(self._process, self.tell("quit"))
        await self._listening

    async def tell(self, command: str, **more: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **more}).encode() + b"\n")
        await self._process.stdin.drain()

    async def event(self, *names: str, after: int = 0) -> dict[str, Any]:
        """Wait for an event of one of these names, the first ``after`` not counted; return it."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.events[after:] if one["event"] in names]

        async with self._told:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._told.wait_for(lambda: bool(found()) or self._failure is not None)
        assert self._failure is None, self._failure
        assert found(), f"none of {names} in {self.events}"
        return found()[0]

    async def _listen(self) -> None:
        assert self._process.stdout is not None and self._process.stderr is not None
        try:
            async for line in self._process.stdout:
                told = json.loads(line)
                if told["event"] in self._gives:
                    await self.tell("given", value=await self._gives[told["event"]](told))
                async with self._told:
                    self.events.append(told)
                    self._told.notify_all()
            if errors := (await self._process.stderr.read()).decode():
                raise AssertionError(errors)
        except Exception as error:
            async with self._told:
                self._failure = error
                self._told.notify_all()
