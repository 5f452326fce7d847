"""Challenges made anew with keys to throw away, so that everybody may have them and every number still
fits.

Spec: 3GPP TS 33.102, 6.3; RFC 3310 and RFC 4169; TS 33.220 (GBA). With the subscriber's key a challenge
opens: the new one has another RAND, the same SQN and AMF, and the MAC of the new key; RES, CK, IK and AUTS
follow, wherever they stand. Without it RAND and AUTN become other octets (AMF stays), the same in every
layer.

Teaching code: it is not constant time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from imslab.aka import AkaFunctions, Milenage, Tuak, gba, generate_auts, generate_vector, open_autn, open_auts
from imslab.aka.digest import auts_text, nonce_for, parse_auts, parse_nonce, session_keys
from imslab.aka.gsm import c2, c3
from imslab.aka.xor3g import Xor3g
from imslab.capture.anonymise.pseudonyms import Pseudonyms
from imslab.errors import AkaError, Malformed

Secrets = tuple[Mapping[str, bytes], Mapping[str, bytes]]
_AMF = slice(6, 8)
_SESSION_KEYS = ("AKAv2-MD5", "AKAv2-SHA-256", "AKAv2-SHA-512-256")  # RFC 4169, 2.2: CK' and IK'


@dataclass(frozen=True, slots=True)
class Opened:
    """A challenge that a key opened, and the one that takes its place; the keys of both."""

    old: AkaFunctions = field(repr=False)
    new: AkaFunctions = field(repr=False)
    rand: bytes
    new_rand: bytes

    @property
    def secrets(self) -> Secrets:
        """RES, CK and IK as they were, and as they are, as arguments for a digest."""
        return _secrets(self.old, self.rand), _secrets(self.new, self.new_rand)


def _secrets(m: AkaFunctions, rand: bytes) -> dict[str, bytes]:
    return dict(zip(("res", "ck", "ik"), m.f2_to_f5(rand), strict=False))


class Challenges:
    """The challenges of a capture, with what becomes of each.

    ``keys`` are the functions of the subscribers whose keys are known; ``made`` those to throw away.
    """

    def __init__(self, pseudonyms: Pseudonyms, keys: Iterable[AkaFunctions] = ()) -> None:
        self._pseudonyms = pseudonyms
        self._keys = [(key, self._throw_away(key)) for key in keys]
        self._autns: dict[tuple[bytes, bytes], bytes] = {}
        self.opened: dict[bytes, Opened] = {}
        self._auts: dict[bytes, set[bytes]] = {}
        self._vectors: dict[bytes, dict[str, bytes]] = {}

    @property
    def count(self) -> int:
        """How many different challenges there are."""
        return len(self._autns)

    @property
    def made(self) -> list[AkaFunctions]:
        """The functions that open the result, each once."""
        return list(dict.fromkeys(new for _, new in self._keys))

    def _throw_away(self, key: AkaFunctions) -> AkaFunctions:
        """Return functions of the same kind under a key that nobody has: one key for all of a kind."""
        noise = self._pseudonyms.noise
        if isinstance(key, Milenage):
            return Milenage(noise(b"k", 16), noise(b"opc", 16))
        if isinstance(key, Tuak):
            return replace(key, k=noise(b"k", len(key.k)), topc=noise(b"topc", 32))
        if isinstance(key, Xor3g):
            return replace(key, k=noise(b"k", 16))
        raise Malformed(f"no key to throw away can be made for {type(key).__name__}")

    # -- what the capture holds ------------------------------------------------------------------

    def note(self, rand: bytes, autn: bytes) -> None:
        """Take in one challenge, wherever it was seen: RAND and AUTN, 16 octets each."""
        if len(rand) != 16 or len(autn) != 16 or (rand, autn) in self._autns:
            return
        new_rand = self.rand(rand)
        for old, new in self._keys:
            try:
                sqn = open_autn(old, rand, autn)
            except AkaError:
                continue
            self._opens(Opened(old, new, rand, new_rand))
            self._autns[rand, autn] = generate_vector(new, new_rand, sqn, autn[_AMF]).autn
            return
        noise = self._pseudonyms.noise(b"autn" + rand + autn, 16)
        self._autns[rand, autn] = noise[:6] + autn[_AMF] + noise[8:]

    def note_auts(self, rand: bytes, auts: bytes) -> None:
        """Take in the AUTS, 14 octets, with which a card refused a challenge, seen already or not."""
        if len(auts) != 14:
            return
        self._pseudonyms.known_octets.setdefault(auts, self._pseudonyms.noise(b"auts" + auts, 14))
        self._auts.setdefault(rand, set()).add(auts)
        if rand in self.opened:
            self._resynchronises(self.opened[rand], auts)

    def _resynchronises(self, opened: Opened, auts: bytes) -> None:
        try:
            sqn = open_auts(opened.old, opened.rand, auts)
        except AkaError:
            return
        self._pseudonyms.known_octets[auts] = generate_auts(opened.new, opened.new_rand, sqn)

    def note_vector(self, rand: bytes, **secrets: bytes) -> None:
        """Take in RES, CK and IK that the capture itself holds, in a card's answer or in Cx."""
        known = {name: value for name, value in secrets.items() if value}
        self._vectors.setdefault(rand, {}).update(known)

    def secrets(self, nonce: str) -> Secrets | None:
        """Return RES, CK and IK of a challenge as they were and as they are, as far as they are known."""
        rand = self.split(nonce)[0]
        if rand in self.opened:
            return self.opened[rand].secrets
        old = self._vectors.get(rand)
        return (old, {name: self._pseudonyms.octets(value) for name, value in old.items()}) if old else None

    def naf_keys(
        self, rand: bytes, old: tuple[str, bytes], new: tuple[str, bytes]
    ) -> list[tuple[bytes, bytes]]:
        """Return the keys of a bootstrapping at one web application, as they were and as they are.

        ``old`` and ``new`` are the private identity and the NAF_Id (TS 33.220, B.3): Ks_(ext_)NAF, then
        Ks_int_NAF. Nothing when no key opened the challenge.
        """
        opened = self.opened.get(rand)
        if opened is None:
            return []
        before, after = (gba.ks(keys["ck"], keys["ik"]) for keys in opened.secrets)
        found = [
            (derive(before, rand, *old), derive(after, opened.new_rand, *new))
            for derive in (gba.ks_naf, gba.ks_int_naf)
        ]
        self._pseudonyms.known_octets.update(found)
        return found

    def _opens(self, opened: Opened) -> None:
        known = self._pseudonyms.known_octets
        self.opened[opened.rand] = opened
        old, new = opened.secrets
        known.update((old[name], new[name]) for name in old)
        for algorithm in _SESSION_KEYS:
            keys = (session_keys(algorithm, each["ck"], each["ik"]) for each in (old, new))
            known.update(zip(*keys, strict=True))
        if len(old["ck"]) == len(old["ik"]) == 16:
            known[c3(old["ck"], old["ik"])] = c3(new["ck"], new["ik"])
        for auts in self._auts.get(opened.rand, ()):
            self._resynchronises(opened, auts)
        if 4 <= len(old["res"]) <= 16:
            known[c2(old["res"])] = c2(new["res"])

    # -- what becomes of it ----------------------------------------------------------------------

    def rand(self, rand: bytes) -> bytes:
        """Return another RAND; its base64 text, which names a bootstrapping, changes with it."""
        known = self._pseudonyms.known_octets
        if rand not in known:
            known[rand] = self._pseudonyms.noise(b"rand" + rand, 16)
            old, new = (gba.b_tid(value, "").rstrip("@") for value in (rand, known[rand]))
            self._pseudonyms.known[old] = new
        return known[rand]

    def autn(self, rand: bytes, autn: bytes) -> bytes:
        """Return the other AUTN of a challenge."""
        self.note(rand, autn)
        return self._autns.get((rand, autn)) or self._pseudonyms.octets(autn)

    def nonce(self, text: str) -> str | None:
        """Return another nonce, with RAND and AUTN made anew; None when it is none of AKA's."""
        rand, autn, rest = self.split(text)
        if (rand, autn) not in self._autns:
            return None
        tail = self._pseudonyms.octets(rest) if rest else b""
        new = nonce_for(self.rand(rand), self._autns[rand, autn], tail)
        digits = len(text.rstrip("="))
        return new[:digits] + text[digits:]

    def auts(self, text: str) -> str | None:
        """Return another AUTS in base64; None when the text is none."""
        try:
            new = auts_text(self._pseudonyms.octets(parse_auts(text)))
        except Malformed:
            return None
        digits = len(text.rstrip("="))
        return new[:digits] + text[digits:]

    @staticmethod
    def split(nonce: str) -> tuple[bytes, bytes, bytes]:
        """Return RAND, AUTN and server data of a nonce; three times nothing when it is none of AKA's."""
        try:
            return parse_nonce(nonce)
        except Malformed:
            return b"", b"", b""


def describe(functions: AkaFunctions) -> dict[str, Any]:
    """Return keys to throw away as the fields of a profile: algorithm, k, opc or topc, lengths."""
    if isinstance(functions, Milenage):
        return {"algorithm": "milenage", "k": functions.k.hex(), "opc": functions.opc.hex()}
    if isinstance(functions, Tuak):
        lengths = ("mac_length", "res_length", "ck_length", "ik_length", "iterations")
        said = {"algorithm": "tuak", "k": functions.k.hex(), "topc": functions.topc.hex()}
        return said | {name: getattr(functions, name) for name in lengths}
    assert isinstance(functions, Xor3g)
    return {"algorithm": "xor", "k": functions.k.hex(), "res_length": functions.res_length}
