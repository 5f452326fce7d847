"""Each file of the card does what its record of EF.ARR says, whatever keys were verified."""

from dataclasses import replace

import pytest

from imslab.uicc import Card, Fcp, Profile, exchange
from imslab.uicc.files.access import ADM1, PIN1, READ, UPDATE, AccessRules
from imslab.uicc.filesystem import File

PIN1_OCTETS = "002000010831323334ffffffff"


def power(card: Card, keys: frozenset[int]) -> None:
    card.reset()
    for reference, command in ((PIN1, PIN1_OCTETS), (ADM1, "0020000a083838383838383838")):
        if reference in keys:
            assert card.transmit(bytes.fromhex(command)) == b"\x90\x00"


def select(card: Card, file: File) -> Fcp:
    """Select a file as a terminal does; return its control parameters as the card says them."""
    adf = file.parent.application
    start = bytes.fromhex("00a4040c10") + adf.aid if adf else bytes.fromhex("00a4000c023f00")
    assert card.transmit(start) == b"\x90\x00"
    data, sw = exchange(card, bytes.fromhex("00a4000402") + file.fid.to_bytes(2) + b"\0")
    assert sw == 0x9000
    return Fcp.parse(data)


def rules_of(card: Card, parameters: Fcp) -> AccessRules:
    """Read the record of EF.ARR that the control parameters name, through the front door."""
    assert parameters.access_rule is not None
    fid, record = parameters.access_rule
    assert card.transmit(bytes.fromhex("00a4000c02") + fid.to_bytes(2)) == b"\x90\x00"
    data, sw = exchange(card, bytes((0, 0xB2, record, 4, 0)))
    assert sw == 0x9000
    return AccessRules.decode(data)


def read(card: Card, file: File) -> tuple[bytes, int]:
    size = len(file.records[0])
    return exchange(card, bytes.fromhex("00b20104" if file.record_length else "00b00000") + bytes((size,)))


def update(card: Card, file: File) -> int:
    octets = file.records[0]
    header = bytes.fromhex("00dc0104" if file.record_length else "00d60000")
    return exchange(card, header + bytes((len(octets),)) + octets)[1]


CARDS = {
    protocol: Card(
        replace(
            Profile(imsi="001010000000001", k=bytes(16), opc=bytes(16), msisdn="+15550100"), pin1_enabled=True
        ),
        protocol=protocol,
    )
    for protocol in ("T=0", "T=1")
}
KEYS = (frozenset[int](), frozenset({PIN1}), frozenset({ADM1}), frozenset({PIN1, ADM1}))


@pytest.mark.parametrize("protocol", CARDS)
@pytest.mark.parametrize("keys", KEYS, ids=lambda keys: "+".join(map(str, sorted(keys))) or "nothing")
def test_every_file_obeys_its_rules(protocol: str, keys: frozenset[int]) -> None:
    card = CARDS[protocol]
    power(card, keys)
    outcomes = set()
    for file in card._session.files.files:
        rules = rules_of(card, select(card, file))
        for mode in (READ, UPDATE):
            select(card, file)
            sw = read(card, file)[1] if mode == READ else update(card, file)
            allowed = rules.condition(mode).is_met(keys)
            assert sw == (0x9000 if allowed else 0x6982), (file.name, mode)
            outcomes.add((mode, allowed))
    if len(keys) < 2:  # with all keys nothing is refused: no file of this card is locked for ever
        assert {(READ, True), (UPDATE, False)} <= outcomes
    assert (READ, False) in outcomes if PIN1 not in keys else (READ, False) not in outcomes


def test_who_may_do_what_is_what_the_specification_says() -> None:
    # TS 31.103, 4.2.2 to 4.2.8 and TS 31.102, 4.2.2: read PIN, update ADM; ICCID: read always.
    card = CARDS["T=1"]
    by_name = {
        (file.parent.label or "MF", file.name): file
        for file in card._session.files.files
        if file.parent is not None
    }
    for place, read_by, update_by in (
        (("ISIM", "EF.IMPI"), "PIN1", "ADM1"),
        (("ISIM", "EF.IMPU"), "PIN1", "ADM1"),
        (("ISIM", "EF.DOMAIN"), "PIN1", "ADM1"),
        (("ISIM", "EF.IST"), "PIN1", "ADM1"),
        (("ISIM", "EF.P-CSCF"), "PIN1", "ADM1"),
        (("ISIM", "EF.AD"), "always", "ADM1"),
        (("ISIM", "EF.GBABP"), "PIN1", "PIN1"),
        (("USIM", "EF.IMSI"), "PIN1", "ADM1"),
        (("USIM", "EF.LOCI"), "PIN1", "PIN1"),
        (("USIM", "EF.ECC"), "always", "ADM1"),
        (("MF", "EF.ICCID"), "always", "ADM1"),
        (("MF", "EF.PL"), "always", "PIN1"),
    ):
        file = by_name[place]
        conditions = (card._session.condition(file, READ), card._session.condition(file, UPDATE))
        assert tuple(map(str, conditions)) == (read_by, update_by), place
