"""The HSS and its authentication centre: who the subscribers are, and their next vectors.

Spec: 3GPP TS 29.228, 6.1 to 6.3 (UAR, SAR, LIR, MAR), TS 33.102 6.3.2 and annex C (vectors, SQN).
The database is SQLite: a path, or in memory. A SQN is written there before its vector leaves,
so that a killed core never gives the same SQN twice.

The keys lie in the database as they are: this is a laboratory with test keys.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from imslab.aka import (
    AkaFunctions,
    CounterGenerator,
    PartlyTimeGenerator,
    TimeGenerator,
    digest,
    generate_vector,
    open_auts,
)
from imslab.errors import ImslabError, MacFailure, Malformed
from imslab.ims import cx
from imslab.ims.node import RandomSource
from imslab.octets import exactly
from imslab.sip import Uri
from imslab.uicc.profile import Profile

Generator = CounterGenerator | TimeGenerator | PartlyTimeGenerator

SCHEMES: dict[str, Callable[..., Generator]] = {
    "counter": CounterGenerator,  # annex C.1.1.2
    "time": TimeGenerator,  # annex C.1.1.3
    "partly-time": PartlyTimeGenerator,  # annex C.1.1.1
}

LEAVING = (cx.Assignment.USER_DEREGISTRATION, cx.Assignment.TIMEOUT_DEREGISTRATION)

_TABLES = """
CREATE TABLE IF NOT EXISTS subscriber (
    impi TEXT PRIMARY KEY, profile TEXT NOT NULL, amf BLOB NOT NULL, algorithms TEXT NOT NULL,
    scheme TEXT NOT NULL, sqn INTEGER NOT NULL, dif INTEGER NOT NULL, server TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS identity (impu TEXT PRIMARY KEY, impi TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS owned ON identity (impi);
"""


@dataclass(slots=True)
class Subscriber:
    """One subscription. ``algorithms`` empty means: whatever the S-CSCF offers."""

    impi: str
    impus: tuple[str, ...]
    functions: AkaFunctions = field(repr=False)
    amf: bytes
    algorithms: tuple[str, ...]
    scheme: str
    generator: Generator
    ind_length: int = 5
    server: str = ""


class Hss:
    """Subscribers, and the four Cx answers about them.

    ``path``    an SQLite file, or ":memory:"
    ``random``  gives RAND, 16 octets a vector
    Raises ImslabError when the file is no database.
    """

    def __init__(self, path: str = ":memory:", *, random: RandomSource) -> None:
        self._random = random
        self._lasts = path != ":memory:"
        self._cache: dict[str, Subscriber] = {}
        self._owners: dict[str, str] = {}
        self._ha1: dict[str, str] = {}
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            # WAL: a commit is one append, and the file is whole after a kill. Nobody waits for the disk: what
            # a power cut may take back, the cards repair, for they ask to resynchronise.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise ImslabError(f"{path}: not usable as subscriber database ({error})") from None

    # -- provisioning -----------------------------------------------------------------------

    def add(
        self,
        profile: Profile,
        *,
        amf: bytes = b"\0\0",
        algorithms: tuple[str, ...] = (),
        scheme: str = "counter",
        sqn: int | None = None,
    ) -> Subscriber:
        """Add or replace the subscriber that ``profile`` describes.

        ``amf``     2 octets in each AUTN; an AuC for IMS leaves the separation bit 0 (TS 33.102, annex H)
        ``scheme``  "counter", "time" or "partly-time" (TS 33.102, annex C.1.1)
        ``sqn``     the last SQN given out; None keeps what the database has, or the profile's
        Malformed for an unknown algorithm or scheme.
        """
        exactly("amf", amf, 2)
        for name in algorithms:
            if not digest.is_aka(name):
                raise Malformed(
                    f"{name} is no AKA algorithm", expected="AKAv1-MD5, AKAv2-MD5 or AKAv2-SHA-256"
                )
        if scheme not in SCHEMES:
            raise Malformed(f"unknown SQN scheme {scheme!r}", expected=", ".join(SCHEMES))
        old = self.subscriber(profile.impi)
        if sqn is None and old is not None and old.scheme == scheme:
            generator = old.generator
        else:
            start = int.from_bytes(profile.sqn) if sqn is None else sqn
            generator = _generator(scheme, start, 0, profile.ind_length)
        # Looked up as a registrar does: without parameters, escapes undone (RFC 3261, 10.3).
        impus = tuple(Uri.parse(impu).canonical for impu in profile.impu)
        added = Subscriber(
            profile.impi,
            impus,
            profile.functions,
            amf,
            algorithms,
            scheme,
            generator,
            profile.ind_length,
        )
        self._db.execute(
            "REPLACE INTO subscriber (impi, profile, amf, algorithms, scheme, sqn, dif)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                added.impi,
                json.dumps(profile.to_dict()),
                amf,
                " ".join(algorithms),
                scheme,
                *_counted(generator),
            ),
        )
        self._db.execute("DELETE FROM identity WHERE impi = ?", (added.impi,))
        self._db.executemany(
            "REPLACE INTO identity VALUES (?, ?)", [(impu, added.impi) for impu in added.impus]
        )
        self._cache[added.impi] = added
        self._owners.clear()
        return added

    def subscriber(self, impi: str) -> Subscriber | None:
        """Return the subscriber with the private identity ``impi``, or None."""
        if (known := self._cache.get(impi)) is not None:
            return known
        row = self._db.execute(
            "SELECT profile, amf, algorithms, scheme, sqn, dif, server FROM subscriber WHERE impi = ?",
            (impi,),
        ).fetchone()
        if row is None:
            return None
        text, amf, algorithms, scheme, sqn, dif, server = row
        profile = Profile.from_dict(json.loads(text))
        found = Subscriber(
            profile.impi,
            tuple(Uri.parse(impu).canonical for impu in profile.impu),
            profile.functions,
            amf,
            tuple(algorithms.split()),
            scheme,
            _generator(scheme, sqn, dif, profile.ind_length),
            profile.ind_length,
            server,
        )
        self._cache[impi] = found
        return found

    def owner(self, impu: str) -> str | None:
        """Return the private identity that owns the public identity ``impu``, or None."""
        if (known := self._owners.get(impu)) is not None:
            return known
        row = self._db.execute("SELECT impi FROM identity WHERE impu = ?", (impu,)).fetchone()
        if row is None:
            return None
        self._owners[impu] = row[0]
        return str(row[0])

    def set_ha1(self, impi: str, ha1: str) -> None:
        """Let a subscriber log in by SIP Digest too, with the password behind ``ha1`` (32 hex digits).

        It lasts as long as this object. "" takes it away.
        """
        if ha1:
            self._ha1[impi] = ha1
        else:
            self._ha1.pop(impi, None)

    def forget_sqn(self, impi: str) -> None:
        """Set the subscriber's sequence number back to nothing, as a restored backup does.

        The card has seen higher ones: its next answer is AUTS. Malformed for an unknown subscriber.
        """
        subscriber = self.subscriber(impi)
        if subscriber is None:
            raise Malformed(f"no subscriber {impi}")
        subscriber.generator = _generator(subscriber.scheme, 0, 0, subscriber.ind_length)
        self._save(subscriber)

    def release(self, impi: str) -> None:
        """Forget which S-CSCF serves a subscriber, after it was told to let the user go (RTR)."""
        subscriber = self.subscriber(impi)
        if subscriber is not None:
            self._served_by(subscriber, "")

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # -- Cx ---------------------------------------------------------------------------------

    def ask(self, request: cx.Request, now: float) -> cx.Answer:
        """Answer one Cx request; ``now`` (seconds) drives the time-based SQN schemes."""
        if isinstance(request, cx.UserAuthorizationRequest):
            return self._authorize(request)
        if isinstance(request, cx.MultimediaAuthRequest):
            return self._authenticate(request, now)
        if isinstance(request, cx.LocationInfoRequest):
            return self._locate(request)
        return self._assign(request)

    def _locate(self, request: cx.LocationInfoRequest) -> cx.LocationInfoAnswer:
        owner = self.owner(request.impu)
        subscriber = self.subscriber(owner) if owner is not None else None
        if subscriber is None:
            return cx.LocationInfoAnswer(cx.Result.USER_UNKNOWN)
        return cx.LocationInfoAnswer(cx.Result.SUCCESS, subscriber.server)

    def _authorize(self, request: cx.UserAuthorizationRequest) -> cx.UserAuthorizationAnswer:
        owner = self.owner(request.impu)
        if owner is None or (request.impi is not None and self.subscriber(request.impi) is None):
            return cx.UserAuthorizationAnswer(cx.Result.USER_UNKNOWN)
        if request.impi not in (None, owner):
            return cx.UserAuthorizationAnswer(cx.Result.IDENTITIES_DONT_MATCH)
        subscriber = self.subscriber(owner)
        return cx.UserAuthorizationAnswer(
            cx.Result.SUCCESS, impi=owner, server=subscriber.server if subscriber else ""
        )

    def _authenticate(self, request: cx.MultimediaAuthRequest, now: float) -> cx.MultimediaAuthAnswer:
        subscriber = self.subscriber(request.impi)
        if subscriber is None:
            return cx.MultimediaAuthAnswer(cx.Result.USER_UNKNOWN)
        if request.scheme == cx.PASSWORD_SCHEME and request.impi in self._ha1:
            return cx.MultimediaAuthAnswer(cx.Result.SUCCESS, ha1=self._ha1[request.impi])
        if not _is_aka(request.scheme):
            return cx.MultimediaAuthAnswer(cx.Result.AUTH_SCHEME_NOT_SUPPORTED)
        if request.authorization:
            try:
                self._resynchronise(subscriber, request.authorization, now)
            except (MacFailure, Malformed):
                return cx.MultimediaAuthAnswer(cx.Result.UNABLE_TO_COMPLY)
        sqn, subscriber.generator = subscriber.generator.next(now=now)
        self._save(subscriber)
        vector = generate_vector(subscriber.functions, self._random(16), sqn, subscriber.amf)
        return cx.MultimediaAuthAnswer(cx.Result.SUCCESS, vector, subscriber.algorithms)

    def _resynchronise(self, subscriber: Subscriber, authorization: bytes, now: float) -> None:
        """Take SQN_MS out of RAND || AUTS (TS 33.102, 6.3.5)."""
        exactly("RAND || AUTS", authorization, 30)
        sqn_ms = open_auts(subscriber.functions, authorization[:16], authorization[16:])
        subscriber.generator = subscriber.generator.resynchronise(sqn_ms, now=now)

    def _assign(self, request: cx.ServerAssignmentRequest) -> cx.ServerAssignmentAnswer:
        subscriber = self.subscriber(request.impi)
        if subscriber is None or request.impu not in subscriber.impus:
            return cx.ServerAssignmentAnswer(cx.Result.USER_UNKNOWN)
        leaving = request.assignment in (
            cx.Assignment.USER_DEREGISTRATION,
            cx.Assignment.TIMEOUT_DEREGISTRATION,
        )
        self._served_by(subscriber, "" if leaving else request.server)
        return cx.ServerAssignmentAnswer(cx.Result.SUCCESS, subscriber.impus)

    def _served_by(self, subscriber: Subscriber, server: str) -> None:
        if server != subscriber.server:
            subscriber.server = server
            self._db.execute("UPDATE subscriber SET server = ? WHERE impi = ?", (server, subscriber.impi))

    def _save(self, subscriber: Subscriber) -> None:
        if not self._lasts:
            return  # a database in memory ends with the process, as the cache does
        counted = _counted(subscriber.generator)
        self._db.execute("UPDATE subscriber SET sqn = ?, dif = ? WHERE impi = ?", (*counted, subscriber.impi))


def _is_aka(scheme: str) -> bool:
    """Tell whether a SIP-Authentication-Scheme can be served with a vector."""
    if scheme == cx.HSS_SELECTED:
        return True
    try:
        return digest.is_aka(scheme.removeprefix("Digest-"))
    except Malformed:
        return False


def _generator(scheme: str, sqn: int, dif: int, ind_length: int) -> Generator:
    more = {"dif": dif} if scheme == "time" else {}
    return SCHEMES[scheme](sqn_he=sqn, ind_length=ind_length, **more)


def _counted(generator: Generator) -> tuple[int, int]:
    """Return what a generator must not forget: SQN_HE, and DIF where it follows the clock alone."""
    return generator.sqn_he, generator.dif if isinstance(generator, TimeGenerator) else 0
