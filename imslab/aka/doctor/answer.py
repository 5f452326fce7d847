"""Is the answer right, and if not, how did somebody come to it?

Spec: RFC 7616, 3.4 (response), RFC 3310 (AKAv1), RFC 4169 (AKAv2). An answer is computed from an Attempt; a
fault is a change to an attempt. One change is tried after the other, then two of different kinds.
"""

import base64
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations

from imslab.aka import digest
from imslab.aka.doctor.causes import Fault
from imslab.aka.doctor.credentials import Reading
from imslab.aka.doctor.evidence import Evidence

_LABEL = b"http-digest-akav2-password"
_METHODS = ("REGISTER", "INVITE", "SUBSCRIBE", "ACK", "BYE", "MESSAGE", "OPTIONS", "PUBLISH", "NOTIFY", "")


@dataclass(frozen=True, slots=True)
class Attempt:
    """Everything that goes into one response; ``entity`` is what auth-int hashes, None to leave it out."""

    algorithm: str
    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)
    secret: "Callable[[Attempt], bytes]"
    method: bytes
    uri: bytes
    username: bytes
    realm: bytes
    nonce: bytes
    qop: str
    nc: bytes
    cnonce: bytes
    entity: bytes | None
    session: bool

    def response(self) -> str:
        """Return the response that this attempt gives."""
        h = partial(digest.h, self.algorithm)
        a1 = h(self.username, self.realm, self.secret(self))
        if self.session:
            a1 = h(a1, self.nonce, self.cnonce)
        a2 = (self.method, self.uri) if self.entity is None else (self.method, self.uri, self.entity)
        middle = (self.nc, self.cnonce, self.qop.encode()) if self.qop else ()
        return h(a1, self.nonce, *middle, h(*a2)).decode()


@dataclass(frozen=True, slots=True)
class Change:
    """What a fault does to an attempt. Two changes of one kind do not go together."""

    kind: str
    faults: tuple[Fault, ...]
    apply: Callable[[Attempt], Attempt]


def attempts_as_given(evidence: Evidence, reading: Reading, rand: bytes) -> list[tuple[Attempt, list[Fault]]]:
    """Return the attempt that follows the specifications for these credentials, and no fault.

    Where the label names no AKA nothing is right: there are two attempts, AKAv1 and AKAv2, each with a fault.
    """
    name = digest.canonical(evidence.digest_algorithm)
    if digest.is_aka(name):
        return [(_attempt(name, evidence, reading, rand), [])]
    versions = ("AKAv1", "AKAv2")
    faults = {version: [Fault("aka-password-without-aka", version)] for version in versions}
    return [(_attempt(f"{v}-{name}", evidence, reading, rand), faults[v]) for v in versions]


def _attempt(algorithm: str, evidence: Evidence, reading: Reading, rand: bytes) -> Attempt:
    e = evidence
    res, ck, ik, _ = reading.functions.f2_to_f5(rand)
    qop = e.qop or ""
    return Attempt(
        algorithm=algorithm,
        res=res,
        ck=ck,
        ik=ik,
        secret=_empty if e.auts is not None else _as_labelled,
        method=_octets(e.method),
        uri=_octets(e.uri),
        username=_octets(e.username),
        realm=_octets(e.realm),
        nonce=_octets(e.nonce_text()),
        qop=qop,
        nc=_octets(e.nc or ""),
        cnonce=_octets(e.cnonce or ""),
        entity=digest.h(algorithm, e.body) if qop.lower() == "auth-int" else None,
        session=algorithm.endswith("-sess"),
    )


def search(base: Attempt, changes: list[Change], seen: str) -> tuple[Fault, ...] | None:
    """Return the faults that turn ``base`` into ``seen``: none, one or two; None when nothing does."""

    def gives(*applied: Change) -> bool:
        attempt = base
        for change in applied:
            attempt = change.apply(attempt)
        return hmac.compare_digest(attempt.response().encode(), seen.lower().encode("utf-8", "replace"))

    if gives():
        return ()
    one = next((change for change in changes if gives(change)), None)
    if one is not None:
        return one.faults
    two = ((a, b) for a, b in combinations(changes, 2) if a.kind != b.kind)
    return next((a.faults + b.faults for a, b in two if gives(a, b)), None)


def changes_for(evidence: Evidence, base: Attempt, readings: Iterable[Reading], rand: bytes) -> list[Change]:
    """Return all changes to ``base`` that the doctor knows, the likely ones first."""
    found = [
        *_secret_changes(evidence, base),
        *_res_changes(base),
        *_request_changes(evidence, base),
        *_count_changes(evidence),
        *_qop_changes(evidence, base),
        *_hash_changes(base),
    ]
    for reading in readings:
        res, ck, ik, _ = reading.functions.f2_to_f5(rand)
        found.append(Change("credentials", reading.faults, partial(replace, res=res, ck=ck, ik=ik)))
    return found


def res_shapes(res: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (description, octets) of every way in which RES gets another length."""
    if 0 in res:
        yield "cut at its first zero octet, as a C string", res[: res.index(0)]
    for length in (8, 4, 16, 32, *range(1, len(res))):
        if length < len(res):
            yield f"cut to {length} of {len(res)} octets", res[:length]
        elif length > len(res):
            yield f"filled with zeros from {len(res)} to {length} octets", res.ljust(length, b"\0")
    if res.startswith(b"\0"):
        yield "without its zero octets in front, as a number", res.lstrip(b"\0")


# ---- passwords


def _empty(_: Attempt) -> bytes:
    return b""


def _as_labelled(a: Attempt) -> bytes:
    version = digest.aka_version(a.algorithm)
    return _akav2(a) if version == 2 else a.res


def _akav1(a: Attempt) -> bytes:
    return a.res


def _akav2(a: Attempt) -> bytes:
    return base64.b64encode(_prf(a))


def _prf(a: Attempt) -> bytes:
    return digest.prf(a.algorithm, a.res + a.ik + a.ck, _LABEL)


def _secret_changes(evidence: Evidence, base: Attempt) -> Iterator[Change]:
    def change(fault: Fault, secret: Callable[[Attempt], bytes]) -> Change:
        return Change("password", (fault,), partial(replace, secret=secret))

    version = digest.aka_version(base.algorithm)
    if evidence.auts is not None:
        yield change(Fault("password-not-empty-with-auts"), _as_labelled)
        return
    if version == 1:
        yield change(Fault("akav2-password-under-akav1"), _akav2)
    if version == 2:
        yield change(Fault("akav1-password-under-akav2"), _akav1)
        yield change(Fault("ik-ck-swapped"), _other_key(lambda a: a.res + a.ck + a.ik))
        yield from (change(fault, secret) for fault, secret in _akav2_mistakes())
    yield change(Fault("res-as-hex"), lambda a: a.res.hex().encode())
    yield change(Fault("res-as-hex"), lambda a: a.res.hex().upper().encode())
    yield change(Fault("res-as-base64"), lambda a: base64.b64encode(a.res))
    yield change(Fault("res-as-base64"), lambda a: base64.b64encode(a.res).rstrip(b"="))
    yield change(Fault("password-empty"), _empty)


def _akav2_mistakes() -> Iterator[tuple[Fault, Callable[[Attempt], bytes]]]:
    yield Fault("password-padding-dropped"), lambda a: _akav2(a).rstrip(b"=")
    yield Fault("password-not-base64", "octets"), _prf
    yield Fault("password-not-base64", "hex text"), lambda a: _prf(a).hex().encode()
    yield (
        Fault("password-hmac", "RES went into the key as hex text"),
        _other_key(lambda a: (a.res + a.ik + a.ck).hex().encode()),
    )
    for name, key in (
        ("the key is RES alone", lambda a: a.res),
        ("the key is IK | CK | RES", lambda a: a.ik + a.ck + a.res),
        ("the key is CK | IK | RES", lambda a: a.ck + a.ik + a.res),
    ):
        yield Fault("password-hmac", name), _other_key(key)
    yield (
        Fault("password-hmac", "key and label are swapped"),
        lambda a: base64.b64encode(digest.prf(a.algorithm, _LABEL, a.res + a.ik + a.ck)),
    )
    yield (
        Fault("password-hmac", "the label ends with a zero octet"),
        lambda a: base64.b64encode(digest.prf(a.algorithm, a.res + a.ik + a.ck, _LABEL + b"\0")),
    )
    for other in ("MD5", "SHA-256", "SHA-512-256"):
        yield Fault("password-hmac", f"with the hash {other}"), _other_hash(other)


def _other_key(key: Callable[[Attempt], bytes]) -> Callable[[Attempt], bytes]:
    return lambda a: base64.b64encode(digest.prf(a.algorithm, key(a), _LABEL))


def _other_hash(algorithm: str) -> Callable[[Attempt], bytes]:
    return lambda a: base64.b64encode(digest.prf(algorithm, a.res + a.ik + a.ck, _LABEL))


def _res_changes(base: Attempt) -> Iterator[Change]:
    for description, res in res_shapes(base.res):
        yield Change("res", (Fault("res-length", description),), partial(replace, res=res))


# ---- the request


def _request_changes(evidence: Evidence, base: Attempt) -> Iterator[Change]:
    e = evidence
    candidates: list[tuple[str, str, str, Iterable[str]]] = [
        ("uri", "uri", e.uri, (*e.uris, *_uris(e))),
        ("username", "username", e.username, (*e.usernames, *_usernames(e))),
        ("realm", "realm", e.realm, (*e.realms, *_realms(e))),
        ("method", "method", e.method, (*e.methods, *_METHODS, e.method.lower(), e.method.upper())),
        ("cnonce", "cnonce", e.cnonce or "", (f'"{e.cnonce}"', "")),
    ]
    for kind, code, given, values in candidates:
        for value in dict.fromkeys(values):
            if value != given:
                octets = partial(replace, **{kind: _octets(value)})
                yield Change(kind, (Fault(code, value),), octets)
    for description, nonce in _nonces(e):
        if nonce != base.nonce:
            yield Change("nonce", (Fault("nonce-text", description),), partial(replace, nonce=nonce))


def _uris(e: Evidence) -> Iterator[str]:
    scheme, _, rest = e.uri.partition(":")
    bare = rest.split(";")[0].split("?")[0]
    host = bare.rpartition("@")[2]
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    for address in (e.realm, bare, host, name, f"{name}:5060", e.username.rpartition("@")[2]):
        yield f"sip:{address}"
        yield f"sip:{address};lr"
        yield f"sip:{address};transport=tcp"
        yield f"sips:{address}"
    yield from (e.uri + ";lr", f"<{e.uri}>", f'"{e.uri}"', e.uri.lower(), rest, f"sip:{e.username}")
    yield f"{scheme}:{e.realm}"


def _usernames(e: Evidence) -> Iterator[str]:
    user, _, host = e.username.partition("@")
    yield from (f"sip:{e.username}", e.username.removeprefix("sip:"), user, user.removeprefix("sip:"))
    yield from (f"{user}@{e.realm}", f"sip:{user}@{e.realm}", f'"{e.username}"', e.username.lower())
    yield from (f"+{user}", user.removeprefix("+"), f"{e.username};user=phone", host, "")


def _realms(e: Evidence) -> Iterator[str]:
    hosts = [text.rpartition("@")[2].removeprefix("sip:").split(";")[0] for text in (e.username, e.uri)]
    yield from (*hosts, *(host.partition(":")[0] for host in hosts))
    yield from (f'"{e.realm}"', e.realm.lower(), e.realm.upper(), f"sip:{e.realm}", f"{e.realm}.", "")


def _nonces(e: Evidence) -> Iterator[tuple[str, bytes]]:
    text = e.nonce_text()
    rand, autn, server_data = e.challenge()
    yield from ((f'"{nonce}"', _octets(nonce)) for nonce in e.nonces)
    yield "without its padding", _octets(text.rstrip("="))
    yield "with its quotes", _octets(f'"{text}"')
    yield "RAND and AUTN, decoded", rand + autn + server_data
    yield "RAND and AUTN in hex", (rand + autn + server_data).hex().encode()
    yield "RAND and AUTN without the server data", digest.nonce_for(rand, autn).encode()
    yield "RAND in hex", rand.hex().encode()


def _count_changes(e: Evidence) -> Iterator[Change]:
    given = e.nc or ""
    values = ["00000001", "1", f'"{given}"', given.lower(), given.upper(), given.lstrip("0"), ""]
    for base in (16, 10):  # the number that was meant, read either way, written either way
        try:
            number = int(given[:16], base)
        except ValueError:
            continue
        values += [
            str(number),
            f"{number:08d}",
            f"{number:08x}",
            f"{number:x}",
            f"{number:08X}",
            f"{number:X}",
        ]
        values += [f"{near:08x}" for near in (number + 1, number - 1, number + 2) if near >= 0]
    for value in dict.fromkeys(values):
        if value != given:
            yield Change("nc", (Fault("nc", value),), partial(replace, nc=_octets(value)))


def _qop_changes(e: Evidence, base: Attempt) -> Iterator[Change]:
    h = partial(digest.h, base.algorithm)
    bodies = {
        "the hash of nothing": h(b""),
        "none at all": None,
        "an empty text": b"",
        "the hash of the body": h(e.body),
        "the body with a line end after it": h(e.body + b"\r\n"),
        "the body without its last line end": h(e.body.removesuffix(b"\r\n")),
        "the body with bare line feeds": h(e.body.replace(b"\r\n", b"\n")),
        "the body itself, not hashed": e.body,
        "the hash in capitals": h(e.body).upper(),
    }
    if base.qop.lower() == "auth-int":
        for description, entity in bodies.items():
            if entity != base.entity:
                yield Change("qop", (Fault("body-hash", description),), partial(replace, entity=entity))
    for qop, entities in (("", (None,)), ("auth", (None,)), ("auth-int", (h(e.body), h(b"")))):
        for entity in entities:
            if qop != base.qop:
                what = f"qop={qop}" if qop else "no qop, as in RFC 2069"
                apply = partial(replace, qop=qop, entity=entity)
                yield Change("qop", (Fault("qop", what),), apply)
    if base.qop:  # the list of the challenge, copied whole
        for text in ("auth,auth-int", "auth-int,auth", f'"{base.qop}"', base.qop.upper()):
            yield Change("qop", (Fault("qop", f"qop={text}"),), partial(replace, qop=text))


def _hash_changes(base: Attempt) -> Iterator[Change]:
    name = digest.canonical(base.algorithm)
    detail = "A1 folded with nonce and cnonce, as for -sess" if not base.session else "A1 as without -sess"
    yield Change("session", (Fault("session", f"with {detail}"),), partial(replace, session=not base.session))
    for other in ("MD5", "SHA-256", "SHA-512-256"):
        prefix = name[: len("AKAv1-")] if digest.is_aka(name) else ""
        if name.removeprefix(prefix).removesuffix("-sess") != other:
            yield Change("hash", (Fault("hash", f"the hash {other}"),), partial(_rehash, f"{prefix}{other}"))


def _rehash(algorithm: str, a: Attempt) -> Attempt:
    return replace(a, algorithm=algorithm)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # Evidence has seen that this can be done
