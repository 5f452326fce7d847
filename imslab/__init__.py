"""A laboratory for IMS authentication with the SIM card.

    import imslab
    lab = imslab.Lab()                       # two software cards and an embedded IMS core
    capture = imslab.open_capture("field.pcapng", k="465b...", opc="cd63...")
    with imslab.refuses(imslab.MacFailure):  # fails when nothing is refused
        ...

Importing this loads no heavy library: what is named here is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imslab.errors import (
    AkaError,
    AuthenticationFailed,
    BridgeRefused,
    CallFailed,
    CaptureError,
    CardError,
    CardGone,
    Departed,
    EspAuthenticationFailed,
    EspError,
    EspReplayed,
    FingerprintMismatch,
    ImslabError,
    MacFailure,
    Malformed,
    NetworkError,
    OtaError,
    RegistrationFailed,
    Replayed,
    SrtpError,
    SyncFailure,
    WrongResponse,
)

if TYPE_CHECKING:
    from imslab.capture import open_capture
    from imslab.course.refuses import refuses
    from imslab.lab import Lab

__version__ = "0.1.0"

__all__ = [
    "AkaError",
    "AuthenticationFailed",
    "BridgeRefused",
    "CallFailed",
    "CaptureError",
    "CardError",
    "CardGone",
    "Departed",
    "EspAuthenticationFailed",
    "EspError",
    "EspReplayed",
    "FingerprintMismatch",
    "ImslabError",
    "Lab",
    "MacFailure",
    "Malformed",
    "NetworkError",
    "OtaError",
    "RegistrationFailed",
    "Replayed",
    "SrtpError",
    "SyncFailure",
    "WrongResponse",
    "__version__",
    "open_capture",
    "refuses",
]

_LAZY = {"Lab": "imslab.lab", "open_capture": "imslab.capture", "refuses": "imslab.course.refuses"}


def __getattr__(name: str) -> Any:
    """Load what ``_LAZY`` names when it is first asked for (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module 'imslab' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
