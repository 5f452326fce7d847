"""PINs: their values, their counters, and the five commands about them.

Spec: ETSI TS 102 221, sections 9.5 and 11.1.9 to 11.1.13. A wrong value costs a try before it is compared, so
that pulling the card out does not give it back; 3 tries for a PIN, 10 for an UNBLOCK PIN.
"""

import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from imslab.errors import Malformed
from imslab.uicc import status
from imslab.uicc.files.access import ADM1, PIN1, PIN2

PIN_TRIES, UNBLOCK_TRIES = 3, 10
LENGTH = 8


@dataclass(slots=True)
class Pin:
    """One PIN: ``value`` and ``unblock`` have 8 octets, filled with FF; ``unblock`` may be empty."""

    value: bytes = field(repr=False)
    unblock: bytes = field(repr=False)
    enabled: bool = True
    tries: int = PIN_TRIES
    unblock_tries: int = UNBLOCK_TRIES
    verified: bool = False


def octets(digits: str) -> bytes:
    """Return 4 to 8 digits as a PIN travels: ASCII, filled with FF up to 8 octets; else raise Malformed."""
    if not digits.isascii() or not digits.isdecimal() or not 4 <= len(digits) <= LENGTH:
        raise Malformed("a PIN has 4 to 8 digits")
    return digits.encode("ascii").ljust(LENGTH, b"\xff")


class PinSet:
    """The PINs of one card by key reference: 01 PIN1, 81 PIN2, 0A ADM1.

    Each method does one command and returns its status word. ``save`` is called with the state before a
    status word is returned, and before a value is compared.
    """

    def __init__(self, pins: dict[int, Pin]) -> None:
        self._pins = pins
        self.save: Callable[[bytes], None] = lambda state: None
        self.satisfied: frozenset[int] = frozenset()
        self.forget()

    @property
    def enabled(self) -> dict[int, bool]:
        """Which of the keys are enabled."""
        return {reference: pin.enabled for reference, pin in self._pins.items()}

    def forget(self) -> None:
        """The power went: nothing is verified any more."""
        for pin in self._pins.values():
            pin.verified = False
        self._refresh()

    def verify(self, reference: int, data: bytes) -> int:
        """VERIFY PIN: 8 octets, or none to ask how many tries remain."""
        pin = self._pins.get(reference)
        if pin is None:
            return status.REFERENCE_NOT_FOUND
        if not data:
            return _remaining(pin.tries)
        if len(data) != LENGTH:
            return status.WRONG_LENGTH
        if not pin.enabled:
            return status.REFERENCE_INVALIDATED
        return self._try(pin, data)

    def change(self, reference: int, data: bytes) -> int:
        """CHANGE PIN: the old value and the new one, 8 octets each."""
        pin = self._pins.get(reference)
        if pin is None or not pin.unblock:
            return status.REFERENCE_NOT_FOUND
        if len(data) != 2 * LENGTH or not _is_pin(data[LENGTH:]):
            return status.WRONG_LENGTH if len(data) != 2 * LENGTH else 0x6A80
        if not pin.enabled:
            return status.REFERENCE_INVALIDATED
        sw = self._try(pin, data[:LENGTH])
        if sw == status.OK:
            pin.value = data[LENGTH:]
            self._saved()
        return sw

    def set_enabled(self, reference: int, data: bytes, enabled: bool) -> int:
        """DISABLE PIN or ENABLE PIN: the value, 8 octets."""
        pin = self._pins.get(reference)
        if pin is None or not pin.unblock:
            return status.REFERENCE_NOT_FOUND
        if len(data) != LENGTH:
            return status.WRONG_LENGTH
        if pin.enabled is enabled:
            return status.CONDITIONS_NOT_SATISFIED
        sw = self._try(pin, data)
        if sw == status.OK:
            pin.enabled = enabled
            self._saved()
        return sw

    def unblock(self, reference: int, data: bytes) -> int:
        """UNBLOCK PIN: the UNBLOCK PIN and a new value, 8 octets each; or none to ask for the tries."""
        pin = self._pins.get(reference)
        if pin is None or not pin.unblock:
            return status.REFERENCE_NOT_FOUND
        if not data:
            return _remaining(pin.unblock_tries)
        if len(data) != 2 * LENGTH or not _is_pin(data[LENGTH:]):
            return status.WRONG_LENGTH if len(data) != 2 * LENGTH else 0x6A80
        if not pin.unblock_tries:
            return status.BLOCKED
        pin.unblock_tries -= 1
        self._saved()
        if not hmac.compare_digest(pin.unblock, data[:LENGTH]):
            return 0x63C0 | pin.unblock_tries
        pin.value, pin.tries, pin.unblock_tries = data[LENGTH:], PIN_TRIES, UNBLOCK_TRIES
        pin.enabled = pin.verified = True
        self._saved()
        return status.OK

    def _try(self, pin: Pin, data: bytes) -> int:
        if not pin.tries:
            return status.BLOCKED
        pin.tries -= 1
        pin.verified = False
        self._saved()
        if not hmac.compare_digest(pin.value, data):
            return 0x63C0 | pin.tries
        pin.tries, pin.verified = PIN_TRIES, True
        self._saved()
        return status.OK

    def _saved(self) -> None:
        self._refresh()
        self.save(self.dump())

    def _refresh(self) -> None:
        # A disabled PIN counts as verified (section 9.5.1), unless it is blocked.
        self.satisfied = frozenset(
            reference
            for reference, pin in self._pins.items()
            if pin.verified or (not pin.enabled and pin.tries)
        )

    def dump(self) -> bytes:
        """Return the state that a store keeps."""
        state = {f"{reference:02X}": _plain(pin) for reference, pin in self._pins.items()}
        return json.dumps(state).encode()

    def restore(self, state: bytes) -> None:
        """Take up a state that ``dump`` gave; raise Malformed when it is damaged."""
        try:
            found = json.loads(state)
            pins = {int(reference, 16): _from_plain(values) for reference, values in found.items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Malformed("the stored PIN state is damaged") from None
        if pins.keys() != self._pins.keys():
            raise Malformed("the stored PIN state is of another card")
        self._pins = pins
        self._refresh()


def pin_set(pin1: str, puk1: str, pin2: str, puk2: str, adm: str, *, pin1_enabled: bool) -> PinSet:
    """Return the PINs of a new card."""
    return PinSet(
        {
            PIN1: Pin(octets(pin1), octets(puk1), pin1_enabled),
            PIN2: Pin(octets(pin2), octets(puk2)),
            ADM1: Pin(octets(adm), b""),
        }
    )


def _remaining(tries: int) -> int:
    return 0x63C0 | tries if tries else status.BLOCKED


def _is_pin(data: bytes) -> bool:
    digits = data.rstrip(b"\xff")
    return 4 <= len(digits) <= LENGTH and digits.isdigit()


def _plain(pin: Pin) -> dict[str, object]:
    values = asdict(pin)
    del values["verified"]
    return {**values, "value": pin.value.hex(), "unblock": pin.unblock.hex()}


def _from_plain(values: dict[str, object]) -> Pin:
    pin = Pin(
        bytes.fromhex(str(values["value"])),
        bytes.fromhex(str(values["unblock"])),
        bool(values["enabled"]),
        int(str(values["tries"])),
        int(str(values["unblock_tries"])),
    )
    if (
        len(pin.value) != LENGTH
        or not 0 <= pin.tries <= PIN_TRIES
        or not 0 <= pin.unblock_tries <= UNBLOCK_TRIES
    ):
        raise ValueError
    return pin
