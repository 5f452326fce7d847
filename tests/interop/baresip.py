"""baresip 1.0.0 (Debian baresip-core) at work: it says a tone, keeps what it hears, and is told what to do.

Its module ctrl_tcp takes commands and tells events, each a JSON object in a netstring.
"""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from imslab.media.g711 import RATE
from imslab.media.sound import Sound, Tone
from tests.interop.network import PATIENCE, ended

MODULES = ("/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules")
TONE = 660.0  # hertz: what it says
_CONFIG = """\
sip_listen {host}:0
net_interface {host}
poll_method epoll
module_path {modules}
module g711.so
module aufile.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{port}
snd_path {folder}
audio_source aufile,{folder}/tone.wav
"""
_ACCOUNT = (
    "<{impu}>;auth_user={impi};auth_pass={password};outbound=\"sip:{proxy}\";regint=600;answermode=auto;"
    "audio_codecs={codec}"
)  # fmt: skip


class Baresip:
    """One baresip with one account, in a folder of its own; ``events`` is what it has told."""

    def __init__(self, folder: Path, host: str, port: int, **account: str) -> None:
        self.folder, self.events = folder, list[dict[str, Any]]()
        self._where = host, port
        folder.mkdir()
        modules = next((path for path in MODULES if Path(path).is_dir()), MODULES[0])
        config = _CONFIG.format(host=host, port=port, modules=modules, folder=folder)
        (folder / "config").write_text(config)
        for name in ("accounts", "contacts"):  # else it makes some of its own
            (folder / name).write_text("")
        self._account = _ACCOUNT.format(**account)
        (folder / "tone.wav").write_bytes(Sound(Tone(TONE, RATE).take(30 * RATE), RATE).wav)
        self._told = asyncio.Condition()

    async def __aenter__(self) -> Self:
        command = ("baresip", "-f", str(self.folder), "-v")
        with (self.folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        async with asyncio.timeout(PATIENCE):
            while True:
                assert self._process.returncode is None, self.log
                with suppress(OSError):
                    reader, self._writer = await asyncio.open_connection(*self._where)
                    break
                await asyncio.sleep(0.02)
        self._listening = asyncio.create_task(self._listen(reader))
        # Not from the file: it would register at once, and tell it before anybody listens.
        await self.tell("uanew", self._account)
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(self._process, self.tell("quit"))
        self._writer.close()
        await self._listening

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")[-3000:]

    async def tell(self, command: str, params: str = "") -> None:
        octets = json.dumps({"command": command, "params": params}).encode()
        self._writer.write(b"%d:%s," % (len(octets), octets))
        await self._writer.drain()

    async def event(self, *types: str) -> dict[str, Any]:
        """Wait for an event of one of these types, and return the last."""
        async with self._told, asyncio.timeout(PATIENCE):
            await self._told.wait_for(lambda: any(one["type"] in types for one in self.events))
        return [one for one in self.events if one["type"] in types][-1]

    def heard(self) -> Sound:
        """Return what it heard in its call."""
        (file,) = self.folder.glob("dump-*-dec.wav")
        return Sound.read(file.read_bytes())

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                length = await reader.readuntil(b":")
                message = json.loads((await reader.readexactly(int(length[:-1]) + 1))[:-1])
                if message.get("event"):
                    async with self._told:
                        self.events.append(message)
                        self._told.notify_all()
