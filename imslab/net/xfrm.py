"""The kernel's own ESP (``ip xfrm``): whether it is there, and what tells it of a security agreement.

imslab seals and opens ESP in user space, and needs nothing of this; Kamailio with IPsec would. The kernel is
asked in a network namespace of its own, so that nothing of the machine is changed and no root is needed.
"""

import shutil
import subprocess

from imslab.errors import Malformed
from imslab.ipsec import Associations, SecurityAssociation

_IP = ("ip", "xfrm")
_SECONDS = 10
# What a security agreement gives: transport mode, AES-CBC, HMAC-SHA-1-96. The keys are zeros, and nobody's.
_STATE = (
    *(
        "ip",
        "xfrm",
        "state",
        "add",
        "src",
        "127.0.0.11",
        "dst",
        "127.0.0.21",
        "proto",
        "esp",
        "spi",
        "0x1000",
    ),
    *("mode", "transport", "enc", "cbc(aes)", "0x" + "00" * 16, "auth", "hmac(sha1)", "0x" + "00" * 20),
)
# The kernel's names; a key stands behind each, and with "integrity" the length of the check value in bits.
_ENCRYPTIONS = {"null": "ecb(cipher_null)", "aes-cbc": "cbc(aes)", "des-ede3-cbc": "cbc(des3_ede)"}
_INTEGRITIES = {"hmac-md5-96": ("hmac(md5)", 96), "hmac-sha-1-96": ("hmac(sha1)", 96)}
_AEADS = {"aes-gcm": "rfc4106(gcm(aes))", "aes-gmac": "rfc4543(gcm(aes))"}
_AEAD_ICV = 128  # bits
_PROTOCOLS = ("udp", "tcp")

_NAMESPACES = (("unshare", "--user", "--map-root-user", "--net"), ("unshare", "--net"))


def obstacle() -> str:
    """Return why the kernel's IPsec cannot be used, or "" when it can."""
    for program in ("ip", "unshare"):
        if shutil.which(program) is None:
            return f"cannot be asked: there is no {program}"
    said = ""
    for namespace in _NAMESPACES:
        said = _refusal([*namespace, *_STATE])
        if not said or not said.startswith("unshare"):
            break  # the kernel has spoken, and not the namespace
    return said


def commands(associations: Associations, ue: str, pcscf: str, *, at_ue: bool) -> list[list[str]]:
    """Return the commands that let the kernel of one end do what was agreed: states, then policies.

    ``ue``, ``pcscf``  their IP addresses;  ``at_ue``: for the terminal's kernel, else for the P-CSCF's
    Whoever sees these commands has the keys. Raises Malformed for an algorithm that no kernel has.
    """
    found: list[list[str]] = []
    for number, one in enumerate(associations, 1):
        ends = ["src", ue, "dst", pcscf] if one.from_ue else ["src", pcscf, "dst", ue]
        template = [*ends, "proto", "esp", "mode", "transport", "reqid", str(number)]
        spi = ["spi", f"0x{one.sa.spi:08x}"]
        found.append([*_IP, "state", "add", *ends, "proto", "esp", *spi, *template[6:], *_algorithms(one.sa)])
        direction = "out" if one.from_ue is at_ue else "in"
        ports = ["sport", str(one.source_port), "dport", str(one.destination_port)]
        for protocol in _PROTOCOLS:
            policy = [*ends, "proto", protocol, *ports, "dir", direction]
            found.append([*_IP, "policy", "add", *policy, "tmpl", *template])
    return sorted(found, key=lambda command: command[2], reverse=True)  # "state" before "policy"


def _algorithms(sa: SecurityAssociation) -> list[str]:
    """Return what a state says of encryption and integrity, with the keys."""
    aead = _AEADS.get(sa.encryption) or _AEADS.get(sa.integrity)
    if aead is not None:
        return ["aead", aead, _hex(sa.encryption_key or sa.integrity_key), str(_AEAD_ICV)]
    if sa.encryption not in _ENCRYPTIONS or sa.integrity not in _INTEGRITIES:
        raise Malformed(f"{sa.encryption}/{sa.integrity} is nothing for ip xfrm")
    name, bits = _INTEGRITIES[sa.integrity]
    encryption = ["enc", _ENCRYPTIONS[sa.encryption], _hex(sa.encryption_key)]
    return [*encryption, "auth-trunc", name, _hex(sa.integrity_key), str(bits)]


def _hex(key: bytes) -> str:
    return f"0x{key.hex()}" if key else ""


def _refusal(command: list[str]) -> str:
    """Run a command, and return the last line of its complaint; "" when it has none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        return f"cannot be asked: {type(error).__name__}"
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines()
    return lines[-1].removeprefix("Error: ").rstrip(".") if lines else f"exit status {done.returncode}"
