"""Whether the kernel of this machine does ESP by itself (``ip xfrm``).

imslab seals and opens ESP in user space, and needs nothing of this; Kamailio with IPsec would. The kernel is
asked in a network namespace of its own, so that nothing of the machine is changed and no root is needed.
"""

import shutil
import subprocess

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
