"""The location service: where each registered user can be reached, and until when.

Spec: RFC 3261, 10.2 and 10.3 (bindings), RFC 3327 (Path), 3GPP TS 24.229, 5.4.1 (the implicit
registration set: one registration makes all of a subscription's public identities reachable).
Times are seconds.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache

from imslab.errors import ImslabError, Malformed
from imslab.sip import STAR, Message, NameAddr


class OutOfOrder(ImslabError):
    """A REGISTER of the same Call-ID came with a CSeq that is not higher (RFC 3261, 10.3 step 7)."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact address: ``contact`` without its expires parameter, ``path`` as received."""

    contact: str
    path: tuple[str, ...]
    call_id: str
    cseq: int
    expires_at: float


@dataclass(slots=True)
class Registration:
    """What the S-CSCF knows of one private identity while it is registered."""

    impi: str
    impus: tuple[str, ...]
    bindings: dict[str, Binding] = field(default_factory=dict)


class Registrar:
    """All bindings of a domain, by private identity and by public identity."""

    def __init__(self) -> None:
        self._registrations: dict[str, Registration] = {}
        self._impi_of: dict[str, str] = {}
        self._next_expiry: float | None = None

    def registered(self, impi: str, now: float) -> bool:
        """Tell whether ``impi`` has a binding that has not run out."""
        registration = self._registrations.get(impi)
        return registration is not None and any(b.expires_at > now for b in registration.bindings.values())

    def find(self, impu: str) -> Registration | None:
        """Return the registration to which the public identity ``impu`` belongs."""
        return self._registrations.get(self._impi_of.get(impu, ""))

    def by_impi(self, impi: str) -> Registration | None:
        """Return the registration of the private identity ``impi``."""
        return self._registrations.get(impi)

    def identities(self, impi: str) -> tuple[str, ...]:
        """Return the public identities that are registered with ``impi``; none when it is not registered."""
        registration = self._registrations.get(impi)
        return () if registration is None else registration.impus

    def remove(self, registration: Registration) -> None:
        """Forget a registration with all its bindings."""
        registration.bindings = {}
        self._keep(registration, ())

    def rename(self, registration: Registration, impus: tuple[str, ...]) -> None:
        """Give a registration the public identities that the subscription has now."""
        for impu in registration.impus:
            self._impi_of.pop(impu, None)
        self._keep(registration, impus)

    def asked(self, request: Message, most: int) -> dict[str, int]:
        """Return contact -> seconds as the REGISTER asks; ``{"*": 0}`` removes all.

        Malformed when ``*`` comes with another contact or without Expires 0 (RFC 3261, 10.2.2).
        """
        default = request.expires
        contacts = request.contacts
        if STAR in contacts:
            if len(contacts) != 1 or default != 0:
                raise Malformed("Contact * must stand alone, with Expires: 0")
            return {"*": 0}
        return {_bare(c): min(_seconds(c, default, most), most) for c in contacts}

    def update(
        self, impi: str, impus: tuple[str, ...], request: Message, asked: dict[str, int], now: float
    ) -> list[tuple[str, int]]:
        """Apply ``asked`` and return every binding that is left, with the seconds it has.

        Nothing changes when OutOfOrder is raised.
        """
        registration = self._registrations.get(impi) or Registration(impi, impus)
        call_id, cseq = request.call_id, request.cseq.number
        touched = list(registration.bindings) if "*" in asked else list(asked)
        for contact in touched:
            old = registration.bindings.get(contact)
            if old is not None and old.call_id == call_id and cseq <= old.cseq:
                raise OutOfOrder(f"CSeq {cseq} is not above {old.cseq}")
        path = tuple(request.all("Path"))
        for contact in touched:
            seconds = asked.get(contact, 0)
            if seconds:
                registration.bindings[contact] = Binding(contact, path, call_id, cseq, now + seconds)
            else:
                registration.bindings.pop(contact, None)
        self._keep(registration, impus)
        return [(b.contact, round(b.expires_at - now)) for b in registration.bindings.values()]

    def timer(self) -> float | None:
        """Return when the next binding runs out; it may be too early, never too late."""
        return self._next_expiry

    def expire(self, now: float) -> list[tuple[str, tuple[str, ...]]]:
        """Drop what has run out; return (impi, impus) of those that are no longer registered."""
        if self._next_expiry is None or self._next_expiry > now:
            return []
        gone = []
        for registration in list(self._registrations.values()):
            live = {k: b for k, b in registration.bindings.items() if b.expires_at > now}
            registration.bindings = live
            if not live:
                gone.append((registration.impi, registration.impus))
                self._keep(registration, registration.impus)
        ends = (b.expires_at for r in self._registrations.values() for b in r.bindings.values())
        self._next_expiry = min(ends, default=None)
        return gone

    def _keep(self, registration: Registration, impus: tuple[str, ...]) -> None:
        if not registration.bindings:
            self._registrations.pop(registration.impi, None)
            for impu in registration.impus:
                self._impi_of.pop(impu, None)
            return
        registration.impus = impus
        self._registrations[registration.impi] = registration
        for impu in impus:
            self._impi_of[impu] = registration.impi
        soonest = min(b.expires_at for b in registration.bindings.values())
        if self._next_expiry is None or soonest < self._next_expiry:
            self._next_expiry = soonest


@lru_cache(maxsize=4096)
def _bare(contact: NameAddr) -> str:
    """Return the contact without the parameters that only speak to the registrar."""
    return str(replace(contact, params=contact.params.without("expires", "q")))


def _seconds(contact: NameAddr, default: int | None, most: int) -> int:
    if "expires" in contact.params:
        return 3600 if contact.expires is None else contact.expires  # RFC 3261, 20.10: malformed is 3600
    return most if default is None else default
