"""PJSIP's pjsua: the command line of an account that logs in with AKA.

Source: pjproject 2.17, pjsip-apps/src/pjsua/pjsua_app_config.c (options) and pjsip/src/pjsip/sip_auth_aka.c
(what it computes). It must be built with ``PJSIP_HAS_DIGEST_AKA_AUTH`` 1, with OpenSSL (without it MD5 alone
is known) and with third_party/milenage. K is given as the octets of the password, so the shell must make
them: bash's $'...' does. The script was tried with such a build: AKAv1, AKAv2, a call, de-registration.
"""

import shlex

from imslab.aka import digest
from imslab.interop.peer import Limit, Peer, Target, callee, odd_names, public_identity
from imslab.uicc.profile import Profile

ALGORITHMS = ("AKAv1-MD5", "AKAv2-MD5")
_SCRIPT = """#!/bin/bash
# pjsua of pjproject 2.17, built with PJSIP_HAS_DIGEST_AKA_AUTH 1, OpenSSL and milenage: it logs in, and
# answers calls. To call type m, and then {callee}
exec pjsua \\
{options} "$@"
"""


def limits(profile: Profile, target: Target) -> list[Limit]:
    """Return what stands between pjsua and this profile."""
    found: list[Limit] = []
    if profile.algorithm.lower() != "milenage":
        found.append(Limit(f"it computes Milenage, not {profile.algorithm}"))
    elif profile.op is None:
        found.append(Limit("it takes OP, and the profile has OPc alone (OP cannot be computed from it)"))
    if 0 in profile.k:
        found.append(Limit("K holds a zero octet, which ends the password that carries K"))
    if digest.canonical(target.algorithm) not in ALGORITHMS:
        found.append(Limit(f"it knows {' and '.join(ALGORITHMS)}, not {target.algorithm}"))
    return [
        *found,
        *(Limit(why) for why in odd_names(profile)),
        Limit("must be built with PJSIP_HAS_DIGEST_AKA_AUTH 1, with OpenSSL and with milenage", blocks=False),
        Limit("checks MAC with the AMF of --aka-amf, never SQN, and sends no AUTS", blocks=False),
    ]


def files(profile: Profile, target: Target, directory: str = "") -> dict[str, str]:
    """Return a script with the command line."""
    return {"pjsua.sh": command(profile, target)}


def command(profile: Profile, target: Target) -> str:
    """Return the script: an account, the P-CSCF as its proxy, silent sound; its arguments come last."""
    options = {
        "id": public_identity(profile),
        "registrar": f"sip:{profile.domain}",
        "realm": profile.domain,  # with --use-ims it may not be *
        "username": profile.impi,
        # As an outbound proxy it stays when the Service-Route of the 200 replaces the account's own.
        "outbound": f"sip:{target.pcscf}:{target.port};lr",
        "bound-addr": target.local,
        "aka-op": (profile.op or b"").hex(),
        "aka-amf": target.amf.hex(),
    }
    lines = [f"  --{name}={shlex.quote(value)}" for name, value in options.items()]
    lines.append(f"  --password={ansi_c(profile.k)}")
    lines.append("  --use-ims --no-tcp --null-audio --auto-answer=200")
    return _SCRIPT.format(callee=callee(profile, target), options=" \\\n".join(lines))


def ansi_c(octets: bytes) -> str:
    """Return octets, none of them zero, as bash writes them: $'\\x46\\x5b'."""
    return "$'" + "".join(f"\\x{octet:02x}" for octet in octets) + "'"


def usage(profile: Profile, target: Target) -> str:
    """Return how the script is run; a URI among its arguments would be called before the login."""
    return f"bash pjsua.sh       # logs in, and answers; to call type m, and then {callee(profile, target)}"


PEER = Peer(
    "pjsua", "pjsua of PJSIP 2.17: a terminal that knows AKAv1 and AKAv2 with MD5",
    "pjproject 2.17: pjsua_app_config.c, sip_auth_aka.c", limits, files, usage,
)  # fmt: skip
