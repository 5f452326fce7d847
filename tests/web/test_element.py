"""What a page can open on a card, and what it cannot: rules, handles, limits, a card that is pulled out."""

import asyncio
import threading

import pytest

from imslab.aka import generate_vector
from imslab.errors import BridgeRefused, CardError, CardGone, Malformed
from imslab.uicc import apdu
from imslab.uicc.access import AccessRules, lab_rules
from imslab.uicc.isim import read_answer
from imslab.uicc.personalisation import ISIM_AID, USIM_AID
from imslab.web.element import MOST_CHANNELS, MOST_SESSIONS, Visit

PAGE = "http://127.0.0.1:8080"
AID = ISIM_AID[:7]
RAND = bytes(range(16))


def visit(desk, origin=PAGE, **settings):
    return Visit({desk.element.name: desk.element}, origin, random=desk.random, **settings)


async def opened(desk, origin=PAGE, **settings):
    page = visit(desk, origin, **settings)
    session, _ = await page.open_session("reader")
    channel, fcp = await page.open_channel(session, AID)
    return page, session, channel, fcp


def challenge(desk, number=1):
    sqn = (number << 5 | 1).to_bytes(6)
    vector = generate_vector(desk.profile.functions, RAND, sqn)
    return vector, apdu.authenticate(vector.rand, vector.autn)


async def refused(name, doing):
    with pytest.raises(BridgeRefused) as error:
        await doing
    assert error.value.name == name
    return str(error.value)


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
async def test_a_page_authenticates_on_a_channel_of_its_own(desk, protocol):
    table = desk(protocol=protocol)
    page, _, channel, fcp = await opened(table)
    assert fcp[:1] == b"\x62"
    vector, command = challenge(table)
    response = await page.transmit(channel, command)
    assert response[-2:] == b"\x90\x00"  # what T=0 announces is fetched already
    assert read_answer(response[:-2]).res == vector.xres
    classes = {one.command[0] & 0x03 for one in table.exchanges if one.command[1] == apdu.AUTHENTICATE}
    assert classes == {1}
    assert len(table.resets) == 1 and table.resets[0] == table.element.atr


async def test_a_page_reads_the_profile(desk):
    page, _, channel, _ = await opened(desk())
    assert (await page.transmit(channel, apdu.select_file(0x6F07)))[-2:] == b"\x90\x00"
    assert (await page.transmit(channel, apdu.select_file(0x6F02)))[-2:] == b"\x90\x00"
    data = await page.transmit(channel, apdu.read_binary())
    assert b"001010000000001@ims" in data


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (apdu.select_file(0x6F3C), "another file"),
        (apdu.update_binary(0, b"x"), "no filter fits"),
        (apdu.verify_pin(1, b"12345678"), "no filter fits"),
        (apdu.gba_bootstrap(RAND, RAND), "no filter fits"),
        (apdu.select_aid(USIM_AID), "another application"),
        (bytes.fromhex("0070000001"), "terminal opens and closes channels"),
        (bytes.fromhex("0070800100"), "terminal opens and closes channels"),
        (bytes.fromhex("80ca00ff00"), "no filter fits"),
    ],
)
async def test_other_commands_do_not_reach_the_card(desk, command, why):
    table = desk()
    page, _, channel, _ = await opened(table)
    before = len(table.exchanges)
    assert why in await refused("AccessDenied", page.transmit(channel, command))
    assert len(table.exchanges) == before


async def test_a_page_cannot_name_another_channel_in_the_class_octet(desk):
    table = desk()
    page, _, channel, _ = await opened(table)
    vector, _ = challenge(table)
    for number in (1, 2, 3, 4, 19):
        command = apdu.authenticate(vector.rand, vector.autn, channel=number)
        await refused("AccessDenied", page.transmit(channel, command))


@pytest.mark.parametrize("octets", [b"", b"\0\x88\0", b"\0" * 262])
async def test_what_is_no_short_command_is_refused(desk, octets):
    page, _, channel, _ = await opened(desk())
    await refused("BadRequest", page.transmit(channel, octets))


@pytest.mark.parametrize(
    ("origin", "access", "fallback", "why"),
    [
        ("http://127.0.0.1:8090", lab_rules(ISIM_AID, PAGE), None, "other callers only"),
        ("http://localhost:8080", lab_rules(ISIM_AID, PAGE), None, "other callers only"),
        (PAGE, AccessRules(), None, "no rule speaks"),
        (PAGE, AccessRules(), lab_rules(ISIM_AID, PAGE), "no rule speaks"),
        (PAGE, None, None, "no access rules"),
        (PAGE, lab_rules(USIM_AID, PAGE), None, "no rule speaks"),
    ],
)
async def test_the_cards_rules_decide(desk, origin, access, fallback, why):
    table = desk(access=access, rules=fallback)
    page = visit(table, origin)
    session, _ = await page.open_session("reader")
    assert why in await refused("AccessDenied", page.open_channel(session, AID))
    assert list(table.card._session.channels) == [0]  # what was opened to look is closed again


async def test_where_a_card_has_no_rules_those_of_the_bridge_count(desk):
    table = desk(access=None, rules=lab_rules(ISIM_AID, PAGE))
    page, _, channel, _ = await opened(table)
    assert (await page.transmit(channel, challenge(table)[1]))[-2:] == b"\x90\x00"


async def test_an_application_that_is_not_on_the_card(desk):
    page = visit(desk())
    session, _ = await page.open_session("reader")
    with pytest.raises(CardError, match="file not found"):
        await page.open_channel(session, bytes.fromhex("a000000003"))
    with pytest.raises(Malformed):
        await page.open_channel(session, b"\xa0")


async def test_another_page_cannot_use_a_stolen_handle(desk):
    table = desk()
    _, session, channel, _ = await opened(table)
    thief = visit(table)
    await refused("Unknown", thief.transmit(channel, challenge(table)[1]))
    await refused("Unknown", thief.open_channel(session, AID))
    await thief.close_channel(channel)  # and cannot close it
    await thief.close_session(session)
    assert set(table.card._session.channels) == {0, 1}


async def test_handles_are_long_and_never_the_same(desk):
    table = desk()
    page = visit(table)
    session, _ = await page.open_session("reader")
    handles = [session]
    for _ in range(3):
        handle, _ = await page.open_channel(session, AID)
        handles.append(handle)
        await page.close_channel(handle)
    assert len(set(handles)) == 4 and {len(handle) for handle in handles} == {32}


async def test_a_page_has_only_so_many_sessions_and_channels(desk):
    page = visit(desk())
    sessions = [(await page.open_session("reader"))[0] for _ in range(MOST_SESSIONS)]
    await refused("TooMany", page.open_session("reader"))
    for _ in range(MOST_CHANNELS):
        await page.open_channel(sessions[0], AID)
    await refused("TooMany", page.open_channel(sessions[0], AID))
    await page.close_session(sessions[0])
    session, _ = await page.open_session("reader")
    await page.open_channel(session, AID)


async def test_when_a_page_goes_its_channels_are_closed_on_the_card(desk):
    table = desk()
    page, *_ = await opened(table)
    other, _, channel, _ = await opened(table)
    await page.close()
    assert set(table.card._session.channels) == {0, 2}
    assert (await other.transmit(channel, challenge(table)[1]))[-2:] == b"\x90\x00"


async def test_an_unknown_reader(desk):
    await refused("Unknown", visit(desk()).open_session("another"))


async def test_the_card_is_pulled_out_and_put_back(desk):
    table = desk()
    page, session, channel, _ = await opened(table)
    table.slot.pull()
    _, command = challenge(table)
    await refused("NoCard", page.transmit(channel, command))
    await refused("NoCard", page.open_session("reader"))
    assert not await table.element.look()
    table.slot.insert()
    assert await table.element.look()
    # What was open belongs to the power-up that is over, and does not come to life again.
    assert "new session" in await refused("NoCard", page.transmit(channel, command))
    assert "new session" in await refused("NoCard", page.open_channel(session, AID))
    again, _ = await page.open_session("reader")
    fresh, _ = await page.open_channel(again, AID)
    assert (await page.transmit(fresh, command))[-2:] == b"\x90\x00"
    assert len(table.resets) == 2
    await page.close()


async def test_a_card_that_was_away_between_two_looks_is_noticed_at_the_next_command(desk):
    table = desk()
    page, _, channel, _ = await opened(table)
    link = table.slot

    def gone(_):
        link.transmit = before
        raise CardGone("removed")

    before, link.transmit = link.transmit, gone
    await refused("NoCard", page.transmit(channel, challenge(table)[1]))
    await refused("NoCard", page.transmit(channel, challenge(table)[1]))
    session, _ = await page.open_session("reader")
    assert await page.open_channel(session, AID)


async def test_a_bridge_that_answers_itself_passes_no_authenticate(desk):
    table = desk()
    page, _, channel, _ = await opened(table, authenticate=False)
    assert "RES stays here" in await refused("AccessDenied", page.transmit(channel, challenge(table)[1]))
    assert (await page.transmit(channel, apdu.select_file(0x6F02)))[-2:] == b"\x90\x00"


async def test_two_pages_at_once_do_not_mix_their_answers(desk):
    """T=0 takes two commands for one answer: another page's must not come between them."""
    table = desk()
    pages = [await opened(table) for _ in range(5)]

    async def login(number):
        page, _, channel, _ = pages[number]
        sqn = (1 << 5 | number + 1).to_bytes(6)
        vector = generate_vector(table.profile.functions, bytes([number]) * 16, sqn)
        response = await page.transmit(channel, apdu.authenticate(vector.rand, vector.autn))
        return read_answer(response[:-2]).res == vector.xres

    assert await asyncio.gather(*map(login, range(5))) == [True] * 5


async def test_a_slow_reader_is_asked_in_a_thread_and_by_one_page_at_a_time(desk):
    table = desk()
    table.slot.slow = True
    threads, inside = set(), 0
    transmit = table.slot.transmit

    def watched(command):
        nonlocal inside
        inside += 1
        assert inside == 1
        threads.add(threading.get_ident())
        response = transmit(command)
        inside -= 1
        return response

    table.slot.transmit = watched
    await asyncio.gather(*(opened(table) for _ in range(4)))
    assert threading.get_ident() not in threads


async def test_a_bridge_that_runs_for_days_keeps_no_record_of_its_own(desk):
    table = desk()
    await opened(table)
    assert table.exchanges
    assert table.element._link.exchanges == []
