"""The whole of it: a file is surveyed, then rewritten packet by packet into one as long.

Two passes are needed, since a name may be known only later: the network that an IMSI belongs to, the
challenge that an AUTS answers, the octets that end a message which another packet began.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imslab.capture.anonymise.addresses import Addresses
from imslab.capture.anonymise.aka import Challenges, describe
from imslab.capture.anonymise.blocks import Blocks
from imslab.capture.anonymise.fragments import Fragments
from imslab.capture.anonymise.internet import Internet
from imslab.capture.anonymise.leftovers import leftovers, shows
from imslab.capture.anonymise.links import Links
from imslab.capture.anonymise.numbers import Numbers
from imslab.capture.anonymise.payloads import Carried
from imslab.capture.anonymise.pseudonyms import Pseudonyms
from imslab.capture.anonymise.text import Texts
from imslab.capture.file import CaptureFile, Source, read_file
from imslab.capture.unlock import Octets, keyring
from imslab.errors import Malformed

_LEAST_SEED = 16
_ETHERNET = 1
_HEADER = 24  # octets that a pcap file begins with
_ATTEMPTS, _WORTH_A_RETRY = 8, 20_000_000  # octets of a file
_SHOWN = 5  # places that a report names
_LOOKS = 3  # at most: what a stream says may open packets, which may hold more
_FAULT = 16  # octets of a record or block header


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a capture.

    ``packets``     how many;  ``protocols``: how many packets or streams of each were rewritten
    ``challenges``  AKA challenges, and ``opened``: those that a key opened
    ``signed``, ``unsigned``  digests that fit again, and those that were replaced by other digits
    ``blanked``     bodies that became zeros;  ``unknown_links``: link types that became zeros -> packets
    ``leftovers``   offsets at which a name that was replaced still stands: a fault, or the rarest chance
    ``warnings``    what could not be read
    """

    packets: int
    protocols: Mapping[str, int]
    challenges: int
    opened: int
    signed: int
    unsigned: int
    blanked: int
    unknown_links: Mapping[int, int]
    leftovers: tuple[int, ...]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.packets} packets"]
        lines += [f"  {name}: {count}" for name, count in sorted(self.protocols.items())]
        lines.append(f"AKA challenges: {self.challenges}, made anew with a key: {self.opened}")
        lines.append(f"digests computed anew: {self.signed}, replaced: {self.unsigned}")
        if self.blanked:
            lines.append(f"bodies of unknown types, now zeros: {self.blanked}")
        lines += [
            f"link type {link}: {count} packets, now zeros" for link, count in self.unknown_links.items()
        ]
        if self.leftovers:
            places = ", ".join(map(str, self.leftovers[:_SHOWN]))
            lines.append(f"names that still stand: {len(self.leftovers)}, at octets {places}")
        else:
            lines.append("names that still stand: none")
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])


@dataclass(frozen=True, slots=True)
class Anonymised:
    """A capture that may be given away: ``octets``, the ``keys`` to throw away that open it, a ``report``.

    ``keys``  as fields of a profile: algorithm, k, opc or topc ... in hex
    """

    octets: bytes = field(repr=False)
    keys: tuple[Mapping[str, Any], ...]
    report: Report


def anonymise(
    source: Source,
    *,
    seed: bytes,
    k: Octets | None = None,
    op: Octets | None = None,
    opc: Octets | None = None,
    profile: object = None,
) -> Anonymised:
    """Return a capture in which nobody can be told, from a path, its octets, or an open binary file.

    ``seed``  at least 16 random octets; who has them can turn the names back. ``k`` with ``op`` or ``opc``,
    or ``profile``, as in ``open_capture``: with them challenges and digests are made anew.

    Raises CaptureError when the file is no capture, Malformed for a short seed or keys of a wrong length.
    """
    if len(seed) < _LEAST_SEED:
        raise Malformed(f"a seed of {len(seed)} octets can be guessed", expected=f"{_LEAST_SEED} at least")
    keys = keyring(k=k, op=op, opc=opc, profile=profile)
    file, functions = read_file(source), [key.functions for key in keys.keys]
    for attempt in range(_ATTEMPTS):
        made = _Rewriting(file, seed + bytes((attempt,)), functions)
        done = made.done()
        if len(done.octets) > _WORTH_A_RETRY or not shows(made.texts.people, done.octets):
            break  # ... else a short name has come up among other letters, by chance
    return done


class _Rewriting:
    """One capture on its way."""

    def __init__(self, file: CaptureFile, seed: bytes, keys: list[Any]) -> None:
        self._file = file
        self._pseudonyms = Pseudonyms(seed)
        addresses = Addresses(self._pseudonyms)
        self.texts = Texts(self._pseudonyms, Numbers(self._pseudonyms), addresses)
        self._challenges = Challenges(self._pseudonyms, keys)
        self._carried = Carried(self.texts, self._challenges, self)
        self._links = Links(addresses, self.packet)
        self._internet = Internet(addresses, self._carried, self._links.typed)

    def packet(self, octets: bytes) -> bytes:
        """Rewrite an IP packet, wherever it is."""
        return self._internet.packet(octets)

    def frame(self, octets: bytes) -> bytes:
        """Rewrite an Ethernet frame in a tunnel."""
        return self._links.frame(_ETHERNET, octets)

    def done(self) -> Anonymised:
        """Survey, rewrite, and say what was done."""
        for _ in range(_LOOKS):
            self._every_packet()
            if not self._carried.look_again():
                break
            self._internet.fragments = Fragments()
        self._carried.begin()
        self._internet.finish_fragments()
        self._links.unknown.clear()
        data = self._file.data
        result = bytearray(data[:])
        last = self._last_octet()
        if self._file.format == "pcapng":
            last = Blocks(self.texts).rewrite(bytes(data), result)
        self._every_packet(result)
        # Behind a fault nothing can be read; the header that is at fault stays, so that it stays one.
        result[last + _FAULT :] = bytes(max(len(result) - last - _FAULT, 0))
        keys = tuple(describe(functions) for functions in self._challenges.made)
        octets = bytes(result)
        return Anonymised(octets, keys, self._report(octets))

    def _every_packet(self, result: bytearray | None = None) -> None:
        records = self._file.records
        places = zip(records.offset.tolist(), records.length.tolist(), records.link.tolist(), strict=True)
        data = self._file.data
        for start, length, link in places:
            new = self._links.frame(link, bytes(data[start : start + length]))
            if result is not None:
                result[start : start + length] = new

    def _last_octet(self) -> int:
        """Return where the last packet of a pcap file ends."""
        records = self._file.records
        return int(records.offset[-1] + records.length[-1]) if len(records.offset) else _HEADER

    @property
    def _names(self) -> set[str]:
        kept = {word.lower() for word in self.texts.kept}  # as the search reads: in any case
        return {name for name in self.texts.seen | self.texts.numbers.seen if name.lower() not in kept}

    def _report(self, result: bytes) -> Report:
        carried, challenges = self._carried, self._challenges
        return Report(
            len(self._file),
            dict(carried.done),
            challenges.count,
            len(challenges.opened),
            carried.authentication.signed,
            carried.authentication.unsigned,
            carried.bodies.blanked,
            dict(self._links.unknown),
            tuple(leftovers(self._names, result)),
            tuple(self._file.warnings),
        )
