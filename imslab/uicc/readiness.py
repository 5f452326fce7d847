"""Why a card in a reader cannot be used, and the command that mends it.

Spec: PC/SC part 5 and ``pcsclite.h`` (the return codes 8010xxxx of winscard). What was seen goes in, a state
and its explanation come out: there is no reader here.
"""

from dataclasses import dataclass
from enum import Enum

from imslab.errors import CardError

SYSTEMS = ("debian", "fedora", "macos", "windows")


class State(Enum):
    """What stands between a program and the card; each value says it in words."""

    READY = "the card answers"
    NO_PYSCARD = "pyscard is not installed"
    NO_LIBRARY = "libpcsclite is not installed: nothing can speak to the PC/SC service"
    NO_DAEMON = "the PC/SC service does not answer"
    ACCESS_DENIED = "access is denied: polkit lets only a user at the machine's own screen use a card"
    NO_READER = "the PC/SC service runs, and sees no reader"
    NO_CARD = "there is no card in the reader"
    MUTE_CARD = "the card is mute: it answers no reset"
    CARD_HELD = "another program holds the card for itself alone"
    CARD_RESET = "another program has reset the card: selections and PINs are forgotten"
    CARD_GONE = "the card or its reader went away"
    NO_ISIM = "the card has no ISIM"
    NO_APPLICATION = "the card has neither an ISIM nor a USIM"


class ReaderError(CardError):
    """The card in a reader cannot be used; ``state`` says why."""

    def __init__(self, message: str, state: State) -> None:
        self.state = state
        super().__init__(message, sw1=None, sw2=None, meaning=state.value)


# What PC/SC says (pcsclite.h; winscard.h has the same numbers).
_CODES = {
    0x80100003: State.CARD_GONE,  # SCARD_E_INVALID_HANDLE: the service was started anew
    0x80100009: State.CARD_GONE,  # SCARD_E_UNKNOWN_READER
    0x8010000B: State.CARD_HELD,  # SCARD_E_SHARING_VIOLATION
    0x8010000C: State.NO_CARD,  # SCARD_E_NO_SMARTCARD
    0x8010000F: State.MUTE_CARD,  # SCARD_E_PROTO_MISMATCH
    0x80100013: State.CARD_GONE,  # SCARD_F_COMM_ERROR
    0x80100016: State.CARD_GONE,  # SCARD_E_NOT_TRANSACTED
    0x80100017: State.CARD_GONE,  # SCARD_E_READER_UNAVAILABLE
    0x8010001D: State.NO_DAEMON,  # SCARD_E_NO_SERVICE
    0x8010001E: State.NO_DAEMON,  # SCARD_E_SERVICE_STOPPED
    0x8010002E: State.NO_READER,  # SCARD_E_NO_READERS_AVAILABLE
    0x80100065: State.MUTE_CARD,  # SCARD_W_UNSUPPORTED_CARD: its ATR makes no sense
    0x80100066: State.MUTE_CARD,  # SCARD_W_UNRESPONSIVE_CARD
    0x80100067: State.MUTE_CARD,  # SCARD_W_UNPOWERED_CARD
    0x80100068: State.CARD_RESET,  # SCARD_W_RESET_CARD
    0x80100069: State.CARD_GONE,  # SCARD_W_REMOVED_CARD
    0x8010006A: State.ACCESS_DENIED,  # SCARD_W_SECURITY_VIOLATION
}


def state_of(code: int, *, library: bool = True) -> State | None:
    """Return the state that a PC/SC return code (32 bits, signed or not) stands for; None for no known one.

    ``library``  whether libpcsclite is there: without it pyscard says "no service" as well
    """
    state = _CODES.get(code & 0xFFFFFFFF)
    return State.NO_LIBRARY if state is State.NO_DAEMON and not library else state


@dataclass(frozen=True, slots=True)
class Remedy:
    """The command, or the deed, that mends a state on each system."""

    debian: str
    fedora: str
    macos: str
    windows: str

    def on(self, system: str) -> str:
        """Return what mends it on ``system``; on a Linux that is not known, what Debian and Fedora do."""
        if system in SYSTEMS:
            return str(getattr(self, system))
        if self.debian == self.fedora:
            return self.debian
        return f"{self.debian}   or: {self.fedora}"


def _everywhere(deed: str) -> Remedy:
    return Remedy(deed, deed, deed, deed)


_IDENTIFY = _everywhere(
    "imslab card read shows what is there; imslab card serve publishes a card that has an ISIM"
)
_RESEAT = _everywhere(
    "take the card out, clean its contacts, put it in with the chip towards the reader's contacts"
)
_START = "systemctl start pcscd.socket   (or, without systemd: pcscd)"
_POLKIT = (
    "run it as root, or let your user in: put "
    "'polkit.addRule((a, s) => /^org.debian.pcsc-lite/.test(a.id) && "
    's.user == "NAME" ? polkit.Result.YES : undefined)\' into /etc/polkit-1/rules.d/50-pcsc.rules'
)
_HOLDERS = "close it: lsof /run/pcscd/pcscd.comm names it; often scdaemon (gpgconf --kill scdaemon)"

REMEDIES = {
    # pyscard has no wheel for Linux: it is built against libpcsclite.
    State.NO_PYSCARD: Remedy(
        "apt install gcc pkg-config python3-dev libpcsclite-dev && make reader",
        "dnf install gcc pkgconf-pkg-config python3-devel pcsc-lite-devel && make reader",
        "make reader",
        'pip install -e ".[reader]"',
    ),
    State.NO_LIBRARY: Remedy(
        "apt install libpcsclite1 pcscd",
        "dnf install pcsc-lite-libs pcsc-lite",
        "it is part of macOS: sudo softwareupdate --install --all",
        "it is part of Windows: sfc /scannow",
    ),
    State.NO_DAEMON: Remedy(
        f"apt install pcscd; {_START}",
        f"dnf install pcsc-lite; {_START}",
        "plug in a reader: macOS starts its service with it",
        "plug in a reader, then: sc start SCardSvr",
    ),
    State.ACCESS_DENIED: Remedy(
        _POLKIT, _POLKIT, "run it as a user who is logged in", "log in at the machine"
    ),
    State.NO_READER: Remedy(
        "plug in a reader (apt install libccid brings its driver); without one: apt install vsmartcard-vpcd",
        "plug in a reader (dnf install pcsc-lite-ccid brings its driver)",
        "plug in a reader (CCID: macOS has the driver)",
        "plug in a reader (CCID: Windows has the driver)",
    ),
    State.NO_CARD: _everywhere("put a card into the reader; without one: imslab card serve"),
    State.MUTE_CARD: _RESEAT,
    State.CARD_HELD: Remedy(
        _HOLDERS,
        _HOLDERS,
        "close it: lsof -c ctkd -c scdaemon names candidates; gpgconf --kill scdaemon",
        "close it: tasklist /m winscard.dll names the candidates",
    ),
    State.CARD_RESET: _everywhere(
        "read the profile again: the card starts anew, and a PIN is asked for again"
    ),
    State.CARD_GONE: _everywhere("put the card back, or plug the reader in again, and connect anew"),
    State.NO_ISIM: _IDENTIFY,
    State.NO_APPLICATION: _IDENTIFY,
}


def remedy(state: State, system: str = "") -> str:
    """Return what mends ``state`` on "debian", "fedora", "macos" or "windows"; "" when all is well."""
    found = REMEDIES.get(state)
    return found.on(system) if found else ""
