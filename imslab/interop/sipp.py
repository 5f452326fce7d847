"""SIPp: scenarios that register with AKA, call, and answer; and the file of subscribers for them.

Source: SIPp 3.6.1, src/message.cpp (getKeywordParam, SendingMessage) and src/auth.cpp
(createAuthHeaderAKAv1MD5); its documentation, "SIP authentication" and "Injecting values from an external
CSV". What it cannot do was seen with Debian's package sip-tester.

The same scenario serves one subscriber and thousands: who registers stands in ``subscribers.csv``.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files as resources

from imslab.interop.peer import Limit, Peer, Target, callee, is_plain_uri, odd_names, public_identity
from imslab.uicc.profile import Profile

SCENARIOS = ("register.xml", "call.xml", "answer.xml")
SUBSCRIBERS = "subscribers.csv"
PORT = 5070  # of SIPp: a call goes out, or comes in, where the registration came from

# SIPp turns K, OP and AMF into octets and reads these as a message once more: "[" begins a keyword, NUL ends
# it, a line feed becomes two octets, "\x" begins a number.
_BREAK = (b"[", b"\0", b"\n", b"\\x")


def limits(profile: Profile, target: Target) -> list[Limit]:
    """Return what stands between SIPp 3.6.1 and this profile."""
    found = [Limit(why) for why in _blocked(profile, target)]
    return [
        *found,
        Limit("AKAv1-MD5 only, of the first challenge: it ends at AKAv2", blocks=False),
        Limit(
            "a RES with a zero octet gives a wrong answer, 3 % of challenges (3.7.0 is right)", blocks=False
        ),
        Limit("checks MAC with the AMF of the scenario, never SQN, and sends no AUTS", blocks=False),
        Limit("of qop auth,auth-int it takes auth-int", blocks=False),
    ]


def _blocked(profile: Profile, target: Target) -> Iterable[str]:
    if profile.algorithm.lower() != "milenage":
        yield f"it computes Milenage, not {profile.algorithm}"
    elif profile.op is None:
        yield "it takes OP, and the profile has OPc alone (OP cannot be computed from it)"
    if _breaks(profile.k):
        yield "K holds an octet 5b, 00 or 0a (or 5c78), which breaks its parser"
    if profile.op is not None and _breaks(profile.op):
        yield "OP holds an octet 5b, 00 or 0a (or 5c78), which breaks its parser"
    if _breaks(target.amf.rstrip(b"\0")):
        yield "AMF holds an octet 5b, 0a, or 00 before another, which breaks its parser"
    yield from odd_names(profile)
    if not is_plain_uri(f"sip:{profile.impi}"):
        yield "the private identity holds a blank, a quote, a bracket or a semicolon, which end it in SIPp"


def _breaks(octets: bytes) -> bool:
    return any(one in octets for one in _BREAK)


def files(profile: Profile, target: Target, directory: str = "") -> dict[str, str]:
    """Return the scenarios, and the file of one subscriber."""
    called = callee(profile, target)
    scenarios = {name: _template(name).replace("@CALLEE@", called) for name in SCENARIOS}
    return {**scenarios, SUBSCRIBERS: subscribers([profile], target)}


def subscribers(profiles: Iterable[Profile], target: Target) -> str:
    """Return the file of values: who registers, one a line, in turn.

    Fields: public identity; its user part; domain; private identity; the credentials.
    """
    rows = [";".join(_fields(profile, target)) for profile in profiles]
    return "\n".join(["SEQUENTIAL", *rows]) + "\n"


def _fields(profile: Profile, target: Target) -> tuple[str, ...]:
    impu = public_identity(profile)
    user = impu.removeprefix("sip:").partition("@")[0]
    keys = {"aka_OP": profile.op or b"", "aka_K": profile.k, "aka_AMF": target.amf}
    # SIPp does not end what it reads of hex digits, and goes on with what its stack holds: 00 is an end.
    credentials = " ".join(f"{name}=0x{value.hex()}00" for name, value in keys.items())
    return impu, user, profile.domain, profile.impi, f"[authentication username={profile.impi} {credentials}]"


def command(scenario: str, domain: str, target: Target, *, calls: int = 1) -> list[str]:
    """Return the command line that runs a scenario ``calls`` times."""
    return [
        "sipp", f"{target.pcscf}:{target.port}", "-sf", scenario, "-inf", SUBSCRIBERS, "-m", str(calls),
        "-i", target.local, "-p", str(PORT), "-auth_uri", domain, "-nostdin",
    ]  # fmt: skip


def usage(profile: Profile, target: Target) -> str:
    """Return the command lines, in the order in which they are run."""
    lines = [" ".join(command(name, profile.domain, target)) for name in SCENARIOS]
    return "\n".join([*lines[:2], f"{lines[2]}     # waits for one call", "-t t1 takes TCP in place of UDP."])


@cache
def _template(name: str) -> str:
    return (resources("imslab.interop") / "templates" / name).read_text("utf-8")


PEER = Peer(
    "sipp", "SIPp 3.6.1 (Debian sip-tester): a load generator",
    "SIPp 3.6.1: src/message.cpp, src/auth.cpp", limits, files, usage,
)  # fmt: skip
