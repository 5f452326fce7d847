"""Findings of authentication: who got which key, which challenge came twice, which sequence number went back.

Spec: 3GPP TS 33.102, 6.3 and annex C; TS 33.203, 6.1; TS 24.229, 5.2.2 and 7.2A; RFC 3310, 4169 and 7616.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from imslab.aka.digest import parse_nonce
from imslab.capture.findings.evidence import Evidence
from imslab.capture.findings.finding import Finding, Severity
from imslab.capture.registrations import Challenge
from imslab.capture.sec_agree import is_akav2
from imslab.capture.sip import SipEvent, view
from imslab.capture.unlock import holds
from imslab.errors import Malformed

if TYPE_CHECKING:
    from imslab.capture.registration import Registration

_CHALLENGES = (401, 407)
_IND = 0x1F  # the lowest 5 bits of SQN choose the slot of the array (TS 33.102, C.3.1)
_STORM = 3  # resynchronisations of one subscriber


def keys_to_terminal(evidence: Evidence) -> Iterator[Finding]:
    """ck= and ik= in a 401 that reached a terminal."""
    frames = [
        event.frame
        for event in evidence.to_terminals()
        if any(offer.ck or offer.ik for offer in view(event.message, "www_authenticate") or ())
    ]
    if frames:
        yield Finding(
            Severity.ERROR,
            "keys-to-ue",
            "CK and IK were sent to the terminal in the 401",
            "The P-CSCF must keep them and take them out. Whoever reads this message on the way has the keys "
            "that protect everything after it",
            "3GPP TS 24.229, 5.2.2 and 7.2A.1",
            tuple(frames),
        )


def version_1_chosen(evidence: Evidence) -> Iterator[Finding]:
    """AKAv1 answered where AKAv2 was offered."""
    for login in evidence.logins:
        offered = [one for one in login.challenges if any(map(is_akav2, one.offered))]
        answered = [one for one in login.challenges if one.answered and not is_akav2(one.algorithm)]
        frames = {one.frame for one in offered} & {one.frame for one in answered}
        if frames:
            yield Finding(
                Severity.WARNING,
                "akav1-chosen",
                f"{login.impi or login.impu} answered with AKAv1 though AKAv2 was offered",
                "The answer of AKAv1 says nothing of CK and IK: one that a card gave elsewhere is good here "
                "too. The terminal is old, or somebody bids down",
                "RFC 4169, 1",
                tuple(sorted(frames)),
            )


def repeated_challenge(evidence: Evidence) -> Iterator[Finding]:
    """The same RAND, or the same nonce, in the challenges of two transactions."""
    seen: dict[bytes | str, dict[object, int]] = {}
    for event in _challenges(evidence.capture.sip):
        cseq = view(event.message, "cseq")
        transaction = view(event.message, "call_id"), cseq.number if cseq else None
        for offer in view(event.message, "www_authenticate") or ():
            seen.setdefault(_rand(offer.nonce) or offer.nonce, {}).setdefault(transaction, event.frame)
    for challenge, transactions in seen.items():
        if len(transactions) < 2 or not challenge:
            continue
        is_rand = isinstance(challenge, bytes)
        yield Finding(
            Severity.ERROR if is_rand else Severity.WARNING,
            "repeated-rand" if is_rand else "repeated-nonce",
            f"the same {'RAND' if is_rand else 'nonce'} was used in {len(transactions)} challenges",
            "A challenge is worth something because it is new: who recorded an answer can give it again"
            + (", and the card refuses a sequence number that it has seen" if is_rand else ""),
            "3GPP TS 33.102, 6.3.2" if is_rand else "RFC 7616, 3.3",
            tuple(sorted(transactions.values())),
        )


def sequence_number_back(evidence: Evidence) -> Iterator[Finding]:
    """SQN of a later challenge not above that of an earlier one, in the same slot of the card's array."""
    highest: dict[tuple[str, int], Challenge] = {}
    for login in evidence.logins:
        for challenge in login.challenges:
            if not challenge.sqn:
                continue  # no key opened it
            sqn = int.from_bytes(challenge.sqn)
            slot = login.impi, sqn & _IND
            before = highest.get(slot)
            if before is None or int.from_bytes(before.sqn) < sqn:
                highest[slot] = challenge
            elif before.rand != challenge.rand:
                yield _back(login.impi or login.impu, before, challenge)


def _back(subscriber: str, before: Challenge, challenge: Challenge) -> Finding:
    return Finding(
        Severity.ERROR,
        "sqn-back",
        f"SQN went back for {subscriber}: {before.sqn.hex()}, then {challenge.sqn.hex()}",
        "The card accepts a number once. An HSS that counts back was restored from a backup, or two of them "
        "serve the same subscriber; each such challenge costs a resynchronisation",
        "3GPP TS 33.102, 6.3.3 and C.2.2",
        (before.frame, challenge.frame),
    )


def resynchronisation_storm(evidence: Evidence) -> Iterator[Finding]:
    """AUTS twice in one login, or three times for one subscriber."""
    asked: dict[str, list[list[Challenge]]] = {}
    for login in evidence.logins:
        with_auts = [one for one in login.challenges if one.auts]
        if with_auts:
            asked.setdefault(login.impi or login.impu, []).append(with_auts)
    for subscriber, logins in asked.items():
        challenges = [one for mine in logins for one in mine]
        if len(challenges) >= _STORM or max(map(len, logins)) >= 2:
            yield Finding(
                Severity.ERROR,
                "resync-storm",
                f"{subscriber} asked {len(challenges)} times to resynchronise",
                "Once is normal. Again and again means that the network does not take AUTS in, or gives out "
                "numbers from two places: the subscriber gets in late or not at all",
                "3GPP TS 33.102, 6.3.5",
                tuple(one.frame for one in challenges),
            )


def without_authentication(evidence: Evidence) -> Iterator[Finding]:
    """A registration that was accepted though nobody proved anything."""
    proved: set[str] = set()
    for login in evidence.logins:
        if login.challenges or any(map(_proves, login.messages)):
            proved |= {login.call_id, login.impu}
        elif login.result == "registered" and not {login.call_id, login.impu} & proved:
            yield Finding(
                Severity.ERROR,
                "no-authentication",
                f"{login.impu} was registered without being asked for a proof",
                "Anybody who knows the identity receives the calls of this subscriber",
                "3GPP TS 33.203, 6.1.1; RFC 3261, 22.1",
                login.frames,
            )


def wrong_answer(evidence: Evidence) -> Iterator[Finding]:
    """A response that is not the one that RES gives, where RES is known."""
    for login in evidence.logins:
        for challenge in login.challenges:
            frames = tuple(_wrong_answers(login, challenge))
            if frames:
                yield Finding(
                    Severity.ERROR,
                    "wrong-response",
                    f"the response of {login.impi or login.impu} is not the one that its RES gives",
                    "The card has another key, the terminal computes wrongly, or somebody guesses. "
                    "`imslab explain` looks for the reason",
                    "RFC 3310, 3.3; RFC 4169, 2.1",
                    (challenge.frame, *frames),
                )


def _wrong_answers(login: "Registration", challenge: Challenge) -> Iterator[int]:
    """Yield the frames of answers that are wrong; a key that was given may just be somebody else's."""
    opened = challenge.opened
    if opened is None:
        return
    for event in login.messages:
        message = event.message
        for given in view(message, "authorization") or ():
            mine = given.nonce == challenge.nonce and opened.judges(given)
            if mine and not holds(opened, challenge.algorithm, message.method, given, message.body):
                yield event.frame


def _challenges(events: Iterable[SipEvent]) -> list[SipEvent]:
    return [e for e in events if not e.message.is_request and e.message.status in _CHALLENGES]


def _proves(event: SipEvent) -> bool:
    """Tell whether a request carries a response to a challenge."""
    return any(given.response for given in view(event.message, "authorization") or ())


def _rand(nonce: str) -> bytes:
    """Return the RAND in a nonce of AKA; empty for what is none."""
    try:
        return parse_nonce(nonce)[0]
    except Malformed:
        return b""


RULES = (
    keys_to_terminal,
    version_1_chosen,
    repeated_challenge,
    sequence_number_back,
    resynchronisation_storm,
    without_authentication,
    wrong_answer,
)
