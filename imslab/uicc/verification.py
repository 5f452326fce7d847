"""A terminal presents a PIN: once, as it was told, and not when that could block the card.

Spec: ETSI TS 102 221, section 11.1.9 (VERIFY PIN; without a value it is free, and tells how many remain).
"""

from imslab.errors import CardError
from imslab.uicc import apdu, pins, status
from imslab.uicc.link import Link, exchange

PIN1 = 0x01


def remaining_tries(link: Link, reference: int = PIN1) -> int | None:
    """Return how many tries remain (0: blocked); None when the PIN is verified, switched off, or not said."""
    _, sw = exchange(link, apdu.verify_pin(reference))
    if sw & 0xFFF0 == 0x63C0:
        return sw & 0xF
    return 0 if sw == status.BLOCKED else None


def verify_pin(link: Link, pin: str, reference: int = PIN1, *, even_the_last: bool = False) -> None:
    """Present a PIN of 4 to 8 digits, once.

    ``even_the_last``  present it though one try alone remains: a wrong PIN would then block the card

    Raises Malformed when ``pin`` is none, CardError when it is wrong (with the tries that remain), when it is
    blocked, and when one try remains and nobody said ``even_the_last``.
    """
    value = pins.octets(pin)
    left = remaining_tries(link, reference)
    if left == 0:
        raise status.refused("VERIFY PIN", status.BLOCKED, "UNBLOCK PIN (with the PUK) is needed")
    if left == 1 and not even_the_last:
        meaning = "1 try remains: a wrong PIN would block the card"
        raise CardError(
            f"VERIFY PIN: not sent, {meaning}. Say even_the_last=True if you are sure",
            sw1=0x63,
            sw2=0xC1,
            meaning=meaning,
        )
    _, sw = exchange(link, apdu.verify_pin(reference, value))
    if not status.is_success(sw):
        raise status.refused("VERIFY PIN", sw)
