"""Findings of the Gm interface: what was agreed, what is used, what was left out.

Spec: RFC 3329, 2.3; 3GPP TS 33.203, 5.1.3, 6.2, 7.2 and annex H; RFC 8221 (algorithms for ESP); RFC 3325, 5.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imslab.capture.findings.evidence import Evidence
from imslab.capture.findings.finding import Finding, Severity
from imslab.capture.sec_agree import mechanisms
from imslab.capture.sip import SipEvent, view
from imslab.sip import SecurityMechanism
from imslab.sip.sec_agree import same_list

if TYPE_CHECKING:
    from imslab.capture.registration import Registration

OLD = {"hmac-md5-96": "HMAC-MD5", "des-ede3-cbc": "3DES", "des-cbc": "DES"}
_CHALLENGES = (401, 407)


def null_encryption(evidence: Evidence) -> Iterator[Finding]:
    """ESP that hides nothing."""
    flows = [flow for flow in evidence.capture.esp if flow.decrypted and flow.encryption == "null"]
    if flows:
        names = ", ".join(f"0x{flow.spi:08x}" for flow in flows[:8])
        yield Finding(
            Severity.WARNING,
            "null-encryption",
            f"ESP with NULL encryption ({len(flows)} associations: {names})",
            "The packets cannot be changed, but everybody on the way reads identities, numbers and messages",
            "3GPP TS 33.203, 5.1.3 and 6.2",
            tuple(sorted({frame for flow in flows for frame in flow.frames})),
        )


def old_algorithms(evidence: Evidence) -> Iterator[Finding]:
    """Algorithms that nobody should agree on any more: agreed in Security-Server, or seen in use."""
    seen: dict[str, set[int]] = {}
    for event in evidence.to_terminals():
        if event.message.status in _CHALLENGES:
            for mechanism in mechanisms(event, "security_server"):
                for name in (mechanism.alg, mechanism.ealg):
                    seen.setdefault(name or "", set()).add(event.frame)
    for flow in evidence.capture.esp:
        for name in (flow.encryption, flow.integrity):
            seen.setdefault(name, set()).update(flow.frames)
    for name, called in OLD.items():
        if name in seen:
            yield Finding(
                Severity.WARNING,
                "old-algorithm",
                f"{called} protects the signalling ({name})",
                "It was taken out of the specification: both ends can do better",
                "3GPP TS 33.203, annex H; RFC 8221, 5 and 6",
                tuple(sorted(seen[name])),
            )


def security_verify(evidence: Evidence) -> Iterator[Finding]:
    """A REGISTER after Security-Server that does not repeat it."""
    for login in evidence.logins:
        offers = [event for event in evidence.to_terminals(login.messages) if _announces(event)]
        answers = [event for event in evidence.from_terminals(login.messages) if _answers(event)]
        for answer in answers:
            offer = next((one for one in reversed(offers) if one.frame < answer.frame), None)
            returned = view(answer.message, "security_verify") or []
            if offer is not None and not returned:
                yield _missing(login, offer, answer)
            elif offer is not None and not same_list(_listed(offer), returned):
                yield _different(login, offer, answer)


def identity_from_terminal(evidence: Evidence) -> Iterator[Finding]:
    """P-Asserted-Identity in what a terminal sends."""
    events = [event for event in evidence.from_terminals() if event.message.get("P-Asserted-Identity")]
    if events:
        yield Finding(
            Severity.WARNING,
            "pai-from-ue",
            f"a terminal sends P-Asserted-Identity ({len(events)} requests)",
            "Only the network asserts identities; a terminal may wish for one, in P-Preferred-Identity. A "
            "P-CSCF that passes this on lets a terminal call under any number",
            "RFC 3325, 5; 3GPP TS 24.229, 5.2.6.3",
            tuple(event.frame for event in events),
        )


def _missing(login: "Registration", offer: SipEvent, answer: SipEvent) -> Finding:
    return Finding(
        Severity.ERROR,
        "no-security-verify",
        f"the REGISTER of {login.impu} does not repeat Security-Server in Security-Verify",
        "Without it the P-CSCF cannot see that somebody on the way took better algorithms out of its list",
        "RFC 3329, 2.3.1; 3GPP TS 33.203, 7.2",
        (offer.frame, answer.frame),
    )


def _different(login: "Registration", offer: SipEvent, answer: SipEvent) -> Finding:
    return Finding(
        Severity.ERROR,
        "security-verify-differs",
        f"Security-Verify of {login.impu} is not what Security-Server said",
        "One of the two lists was changed on the way: somebody bids down. The P-CSCF must answer 494",
        "RFC 3329, 2.3.1",
        (offer.frame, answer.frame),
    )


def _announces(event: SipEvent) -> bool:
    return event.message.status in _CHALLENGES and bool(_listed(event))


def _answers(event: SipEvent) -> bool:
    """Tell whether a request answers a challenge."""
    return any(given.response for given in view(event.message, "authorization") or ())


def _listed(event: SipEvent) -> list[SecurityMechanism]:
    return list(view(event.message, "security_server") or ())


RULES = (null_encryption, old_algorithms, security_verify, identity_from_terminal)
