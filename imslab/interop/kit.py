"""The kit: which peer can take a profile, and a folder with what each of them needs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imslab.errors import ImslabError, Malformed
from imslab.interop import kamailio, pjsua, pyhss, pysim, sipp, wireshark
from imslab.interop.peer import Limit, Peer, Target
from imslab.uicc.profile import Profile

PEERS = (sipp.PEER, pjsua.PEER, kamailio.PEER, pyhss.PEER, pysim.PEER, wireshark.PEER)
README = "README.txt"
_OWNER_ONLY = 0o600
_HEAD = "Written by imslab for {name} ({impi}).\nIT HOLDS KEYS: whoever has this folder is the subscriber.\n"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one peer can do with one profile: ``takes`` it or not, and why not, or with which reservations."""

    peer: Peer
    limits: tuple[Limit, ...]

    @property
    def takes(self) -> bool:
        """Whether nothing blocks."""
        return not any(limit.blocks for limit in self.limits)

    @property
    def reasons(self) -> list[str]:
        """Why not; or, where it takes the profile, what must be known."""
        return [limit.why for limit in self.limits if limit.blocks is not self.takes]


def chosen(names: Sequence[str]) -> tuple[Peer, ...]:
    """Return the peers of these names, all without any; Malformed for a name that there is not."""
    known = {peer.name: peer for peer in PEERS}
    for name in names:
        if name not in known:
            raise Malformed(f"no peer is called {name[:40]!r}", expected=", ".join(known))
    return tuple(known[name] for name in dict.fromkeys(names)) or PEERS


def judge(profile: Profile, target: Target | None = None, peers: Sequence[Peer] = PEERS) -> list[Verdict]:
    """Say of each peer whether it can take the profile, and why not."""
    where = target or Target()
    return [Verdict(peer, tuple(peer.limits(profile, where))) for peer in peers]


def write(
    profile: Profile,
    directory: str | os.PathLike[str],
    target: Target | None = None,
    peers: Sequence[Peer] = PEERS,
) -> list[Path]:
    """Write a folder for each peer that can take the profile, and a README; return the files.

    They hold keys: only their owner may read them. Raises ImslabError when that cannot be done.
    """
    place, where = Path(directory), target or Target()
    found: dict[Path, str] = {}
    for verdict in judge(profile, where, peers):
        if verdict.takes:
            folder = place / verdict.peer.name
            texts = verdict.peer.files(profile, where, str(folder))
            found |= {folder / name: text for name, text in texts.items()}
    found[place / README] = readme(profile, where, peers)
    try:
        for path, text in found.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, text.encode())
    except OSError as error:
        raise ImslabError(f"{place} cannot be written: {error.strerror or error}") from None
    return list(found)


def readme(profile: Profile, target: Target, peers: Sequence[Peer] = PEERS) -> str:
    """Return what stands in the folder: of each peer how it is used, or why it is not there."""
    parts = [_HEAD.format(name=profile.name, impi=profile.impi)]
    for verdict in judge(profile, target, peers):
        lines = [f"{verdict.peer.name}: {verdict.peer.about}"]
        if verdict.takes:
            lines += ["    " + line for line in verdict.peer.usage(profile, target).splitlines()]
        lines += [f"    {'' if verdict.takes else 'no: '}{why}" for why in verdict.reasons]
        parts.append("\n".join([*lines, f"    from: {verdict.peer.source}"]) + "\n")
    return "\n".join(parts)


def _write(path: Path, octets: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
    path.chmod(_OWNER_ONLY)
