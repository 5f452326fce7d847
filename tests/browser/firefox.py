"""Debian's Firefox, driven over WebDriver BiDi: Playwright's own protocol is only in its own build.

Spec: W3C WebDriver BiDi. Firefox speaks it by itself (``--remote-debugging-port``): no driver is needed.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

PROGRAMS = ("firefox-esr", "firefox")
# Fake devices, no question about them, media over loopback, and no talk with the browser's own servers.
PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.server": "",
}
_PATIENCE = 60.0  # seconds for a first start


class Firefox:
    """One browser with one window."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._last, self.context = socket, 0, ""

    async def command(self, method: str, **parameters):
        """Send one command and return its result."""
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": parameters})
        while True:
            said = json.loads((await self._socket.receive(timeout=_PATIENCE)).data)
            if said.get("id") == self._last:
                assert said["type"] == "success", said
                return said["result"]

    async def goto(self, url: str) -> None:
        """Open an address and wait until it is loaded."""
        await self.command("browsingContext.navigate", context=self.context, url=url, wait="complete")

    async def evaluate(self, expression: str):
        """Return the value of an expression (a promise is waited for), by way of JSON."""
        got = await self.command(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))",
            target={"context": self.context},
            awaitPromise=True,
            userActivation=True,
        )
        assert got["type"] == "success", got
        return json.loads(got["result"]["value"])

    async def until(self, condition: str, seconds: float = 30.0) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(seconds):
            while not await self.evaluate(condition):
                await asyncio.sleep(0.1)


@asynccontextmanager
async def launched():
    """Run Firefox without a window, with a fresh profile."""
    program = next(path for name in PROGRAMS if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        rows = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (Path(folder) / "user.js").write_text("\n".join(rows))
        process = await asyncio.create_subprocess_exec(
            program,
            *("--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", folder),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "MOZ_HEADLESS": "1", "HOME": folder},
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                url = await _address(process)
            drain = asyncio.create_task(_drain(process))
            async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
                browser = Firefox(socket)
                await browser.command("session.new", capabilities={})
                (window,) = (await browser.command("browsingContext.getTree"))["contexts"]
                browser.context = window["context"]
                yield browser
            drain.cancel()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        if found := re.search(rb"WebDriver BiDi listening on (ws://\S+)", line):
            return f"{found[1].decode()}/session"
    raise RuntimeError("Firefox ended before it listened")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    while await process.stderr.read(65536):
        pass
