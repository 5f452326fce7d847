"""DTLS in a capture: handshakes between two sockets, the certificates they show, the SRTP keys they lead to.

Spec: RFC 6347, 4.1 and 4.2; RFC 5764 (use_srtp); RFC 8122 (fingerprints in SDP); RFC 7983 (what else shares
the port). What is read is what passes in clear; the keys come out of a key log (`imslab.srtp.handshake`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from imslab.capture import dtls_records
from imslab.capture.announcements import Announcements
from imslab.capture.dtls_records import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, DtlsRows
from imslab.capture.file import CaptureFile
from imslab.capture.index import Column, Index
from imslab.capture.media_keys import SrtpKey
from imslab.capture.reassemble import Endpoint
from imslab.errors import FingerprintMismatch, Malformed, SrtpError
from imslab.srtp.dtls import Role
from imslab.srtp.fingerprint import Fingerprint, check_fingerprints
from imslab.srtp.handshake import MESSAGE_NAMES, Handshake, Reader
from imslab.srtp.keylog import KeyLog
from imslab.srtp.profiles import Profile
from imslab.srtp.records import records

_MOST_ROWS = 100_000  # of handshakes in one capture
_ROLES: tuple[Role, Role] = ("client", "server")


@dataclass(frozen=True, slots=True)
class Flight:
    """What one end sent until the other answered: the names of its messages.

    ``at``  epoch seconds, of the first datagram;  ``frame``: its number
    """

    frame: int
    at: float
    source: Endpoint
    destination: Endpoint
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DtlsSession:
    """One handshake between two sockets.

    ``client, server``  the sockets;  ``frames``: of its datagrams that hold a handshake or an alert
    ``records``         how many of each content type, of all that passed between the two
    ``fingerprints``    of the certificates that were shown, by role: "sha-256 4A:..."
    ``matches``         whether they are those that SDP announced, by role; None where SDP says nothing
    ``call_id``         of the call whose SDP announced one of the sockets
    """

    client: Endpoint
    server: Endpoint
    frames: tuple[int, ...]
    handshake: Handshake
    flights: tuple[Flight, ...]
    records: dict[int, int]
    fingerprints: dict[Role, str] = field(default_factory=dict)
    matches: dict[Role, bool | None] = field(default_factory=dict)
    call_id: str = ""

    @property
    def profile(self) -> str | None:
        """The SRTP profile that was agreed, by its name in SDP; None when none was seen."""
        try:
            return str(self.handshake.profile) if self.handshake.profile else None
        except Malformed:
            return (
                f"0x{self.handshake.server_hello.srtp_profiles[0]:04x}"
                if self.handshake.server_hello
                else None
            )

    def keys(self, secrets: KeyLog) -> list[SrtpKey]:
        """Return the SRTP keys of both ends, as far as the key log gives them.

        In DTLS 1.3 the choice of the profile is hidden: then there are keys for each that was offered.
        """
        hello = self.handshake.client_hello
        offered = hello.srtp_profiles if hello else ()
        profiles: list[Profile | None] = [None]
        if self.profile is None:
            profiles = [profile for code in offered for profile in _known(code)]
        return [key for profile in profiles for key in self._keys(secrets, profile)]

    def _keys(self, secrets: KeyLog, profile: Profile | None) -> Iterator[SrtpKey]:
        try:
            ledger = self.handshake.ledger(secrets, profile)
            mki = self.handshake.server_hello.srtp_mki if self.handshake.server_hello else b""
        except (Malformed, SrtpError):
            return
        for role in _ROLES:
            key, salt = ledger.keys_of(role)
            origin = f"DTLS, frame {self.frames[0]}, {role}"
            sockets = frozenset([self.client if role == "client" else self.server])
            yield SrtpKey(
                ledger.profile, key, salt, origin, self.call_id, sockets, {"mki": mki} if mki else {}
            )


def read(
    capture: CaptureFile, index: Index, rows: DtlsRows, announcements: Announcements, warnings: list[str]
) -> list[DtlsSession]:
    """Return the DTLS handshakes of a capture in the order of their first frames."""
    found: list[DtlsSession] = []
    for mine in _conversations(index, rows.row):
        kinds = rows.type[mine]
        told = np.isin(kinds, (HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC))
        if (kinds == HANDSHAKE).any():
            counts = dtls_records.counts(index, rows.row[mine])
            steps = _steps(capture, index, rows.row[mine][told][:_MOST_ROWS], warnings)
            found += [_session(one, counts, announcements) for one in steps]
    return sorted(found, key=lambda session: session.frames[0])


def _conversations(index: Index, rows: Column) -> Iterator[Column]:
    """Yield the places of the rows that passed between the same two sockets, in either direction."""
    pairs: dict[frozenset[Endpoint], int] = {}
    flows, flow = np.unique(index.flow[rows], return_inverse=True)
    number = [pairs.setdefault(frozenset(index.flows.endpoints(one)), len(pairs)) for one in flows.tolist()]
    conversation = np.array(number, np.int64)[flow]
    order = np.argsort(conversation, kind="stable")
    cuts = np.flatnonzero(np.diff(conversation[order])) + 1
    yield from (part for part in np.split(order, cuts) if len(part))


@dataclass(slots=True)
class _Seen:
    """One handshake that is being gathered; a step is frame, time, who to whom, names of messages."""

    handshake: Handshake
    steps: list[tuple[int, float, Endpoint, Endpoint, tuple[str, ...]]] = field(default_factory=list)


def _steps(capture: CaptureFile, index: Index, rows: Column, warnings: list[str]) -> list[_Seen]:
    """Read the handshakes of one conversation, datagram by datagram."""
    reader, found = Reader(), list[_Seen]()
    for row in rows.tolist():
        frame, (source, destination) = int(index.frame[row]), index.endpoints(row)
        octets = index.octets(row)
        try:
            messages = reader.receive(source, octets)
        except Malformed as error:
            warnings.append(f"frame {frame}: DTLS, but {error}")
            messages = []
        names = [MESSAGE_NAMES.get(one.kind, f"message {one.kind}") for one in messages]
        names += _without_messages(octets)
        while len(found) < max(len(reader.handshakes), 1):
            found.append(_Seen(Handshake()))
        at = int(capture.records.time[frame - 1]) / 1e9
        found[-1].steps.append((frame, at, source, destination, tuple(names)))
    for seen, handshake in zip(found, reader.handshakes, strict=False):
        seen.handshake = handshake
    return [seen for seen in found if seen.steps]


def _without_messages(octets: bytes) -> list[str]:
    """Return the names of what passes beside messages in clear; what follows ChangeCipherSpec is Finished."""
    found = []
    try:
        for record in records(octets):
            found += ["ChangeCipherSpec"] if record.content_type == CHANGE_CIPHER_SPEC else []
            found += ["Finished"] if record.content_type == HANDSHAKE and record.epoch else []
            found += ["Alert"] if record.content_type == ALERT else []
    except Malformed:
        pass  # said already
    return found


def _session(seen: _Seen, counts: dict[int, int], announcements: Announcements) -> DtlsSession:
    frame, _, source, destination, _ = seen.steps[0]
    client = destination if seen.handshake.client == destination else source
    server = source if client == destination else destination
    shown = {role: chain[0] for role, chain in seen.handshake.chains.items() if chain}
    announced = [announcements.at(end, frame) for end in (client, server)]
    return DtlsSession(
        client,
        server,
        tuple(dict.fromkeys(step[0] for step in seen.steps)),
        seen.handshake,
        tuple(_flights(seen.steps)),
        counts,
        {role: str(Fingerprint.of(certificate)) for role, certificate in shown.items()},
        {
            role: _matches(one.values("fingerprint") if one else (), shown[role])
            for role, one in zip(_ROLES, announced, strict=True)
            if role in shown
        },
        next((one.call_id for one in announced if one), ""),
    )


def _matches(announced: Iterable[str], certificate: bytes) -> bool | None:
    """Tell whether a certificate is one that SDP announced; None when SDP announced none that can be read."""
    read = [fingerprint for text in announced for fingerprint in _fingerprint(text)]
    if not read:
        return None
    try:
        check_fingerprints(read, certificate)
    except FingerprintMismatch:
        return False
    return True


def _fingerprint(text: str) -> list[Fingerprint]:
    try:
        return [Fingerprint.parse(text)]
    except (Malformed, ValueError):
        return []


def _known(code: int) -> list[Profile]:
    try:
        return [Profile.coded(code)]
    except Malformed:
        return []


def _flights(steps: Sequence[tuple[int, float, Endpoint, Endpoint, tuple[str, ...]]]) -> Iterator[Flight]:
    """Join what one end sent in a row; datagrams that complete no message are left out."""
    flight: Flight | None = None
    for frame, at, source, destination, names in steps:
        if not names:
            continue
        if flight is not None and flight.source == source:
            flight = Flight(flight.frame, flight.at, source, destination, (*flight.messages, *names))
            continue
        if flight is not None:
            yield flight
        flight = Flight(frame, at, source, destination, names)
    if flight is not None:
        yield flight
