"""ESP on its three ways, on real sockets of 127.0.0.x: RFC 4303, RFC 3948; and what of it the trace shows."""

import asyncio
import io
import os
import socket
from contextlib import asynccontextmanager

import pytest

from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.errors import NetworkError, RegistrationFailed
from imslab.ims import Address, Node
from imslab.ims.node import ESP, ESP_TCP
from imslab.ipsec import TRANSFORMS
from imslab.net import esp
from imslab.net.core import Core
from imslab.net.drive import Driver
from imslab.net.esp import EspInUdp, EspLink, EspOverIp
from imslab.net.tap import Clock, Tap
from imslab.net.terminal import Terminal
from imslab.net.trace import TraceWriter
from imslab.uicc import Card, IsimClient, Profile

PCSCF, UE = "127.0.8.21", "127.0.8.11"
ALICE = Profile.load(profile_path("alice"))


def way_of(name):
    return {"in process": EspLink, "in UDP": lambda: EspInUdp(0), "over IP": EspOverIp}[name]()


def may_open_raw_sockets() -> bool:
    try:
        esp.raw_socket(UE).close()
    except NetworkError:
        return False
    return True


WAYS = ["in process", "in UDP", *(["over IP"] if may_open_raw_sockets() else [])]


@asynccontextmanager
async def protected(way, ipsec=TRANSFORMS, tap=None, host=PCSCF, transport="UDP", **settings):
    """A core and alice's terminal, with a way for ESP between them."""
    events = []
    core = Core(host=host, port=0, websocket_port=0, esp=way, tap=tap, on_event=events.append, **settings)
    await core.start()
    core.add([ALICE])
    client = IsimClient(Card(ALICE))
    where = {"host": host.replace(".21", ".11"), "clock": core.clock, "on_event": events.append}
    proxy = core.addresses[transport]
    terminal = Terminal(client.read_profile(), client, proxy, ipsec=ipsec, esp=way, **where)
    core.events = events
    try:
        yield core, terminal
    finally:
        terminal.close()
        core.close()
        await asyncio.sleep(0)


class Ear(Node):
    """A node that only listens."""

    def __init__(self, host):
        super().__init__(Address(host, 0), os.urandom)
        self.heard = asyncio.Queue()

    def receive(self, octets, source, now):
        self.heard.put_nowait((octets, source))


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("name", WAYS)
async def test_registers_renews_watches_and_leaves(name, transport):
    async with protected(way_of(name), transport=transport) as (core, terminal):
        first = await terminal.register()
        assert first.proven and first.algorithm == "AKAv1-MD5"
        assert terminal.ue.proxy == Address(PCSCF, 5063, ESP if transport == "UDP" else ESP_TCP)
        assert await terminal.subscribe() == dict.fromkeys(ALICE.impu, "active")
        again = await terminal.register()
        assert again.call_id == first.call_id
        await terminal.deregister()
        assert core.scscf.registrar.by_impi(ALICE.impi) is None
        assert [event for event in core.events if event.what == "ESP packet dropped"] == []


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("transform", TRANSFORMS)
async def test_the_trace_shows_it_as_it_is_and_opens(name, transform):
    file, clock = io.BytesIO(), Clock()
    tap = Tap(TraceWriter(file), clock)
    # In UDP it is known for what it is by its port; so each test has an address of its own.
    way = EspInUdp() if name == "in UDP" else way_of(name)
    host = f"127.0.{9 + TRANSFORMS.index(transform)}.21"
    async with protected(way, (transform,), tap, clock=clock, host=host) as (_, terminal):
        await terminal.register()
        tap.flush()
    capture = open_capture(file.getvalue(), profile=ALICE)
    assert capture.warnings == []
    assert [(flow.packets, flow.decrypted, flow.authenticated) for flow in capture.esp] == [(1, 1, 1)] * 2
    assert {f"{flow.encryption}/{flow.integrity}" for flow in capture.esp} == {transform}
    assert {flow.keys_from for flow in capture.esp} == {"sec-agree (key)"}
    (login,) = capture.logins
    assert (login.result, login.challenge.verified, len(capture.sip)) == ("registered", True, 8)
    assert file.getvalue().count(b"REGISTER sip:") == (4 if transform.startswith("null") else 3)


async def test_the_trace_shows_tcp_in_it():
    file, clock = io.BytesIO(), Clock()
    tap = Tap(TraceWriter(file), clock)
    async with protected(EspLink(), tap=tap, transport="TCP", clock=clock) as (_, terminal):
        await terminal.register()
        await terminal.register()
        await asyncio.sleep(0)
        tap.flush()
    capture = open_capture(file.getvalue(), profile=ALICE)
    assert capture.warnings == [] and {flow.decrypted - flow.packets for flow in capture.esp} == {0}
    inside = [event for event in capture.sip if event.frame in capture.protected]
    assert {event.transport for event in inside} == {"tcp"} and len(inside) == 6
    assert [login.result for login in capture.logins] == ["registered"] * 2


async def test_in_udp_the_answer_goes_where_the_request_came_from():
    """RFC 3948: a NAT chose the port of the terminal, and only a packet that opens tells of it."""
    way = EspInUdp(0)
    async with protected(way) as (core, terminal):
        await terminal.register()
        (used,) = core.pcscf.database.sets((UE, terminal.ue.security.server_port))
        assert way.port != 0 and used.carrier not in (0, way.port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((UE, 0))
            for garbage in (b"\xff", bytes(12), used.associations.request.sa.spi.to_bytes(4) + bytes(40)):
                stranger.sendto(garbage, (PCSCF, way.port))
            before = used.carrier
            await terminal.subscribe()
            assert used.carrier == before != stranger.getsockname()[1]
    dropped = [event.why for event in core.events if event.what == "ESP packet dropped"]
    assert len(dropped) == 1, "a keepalive and IKE are no ESP"


async def test_a_terminal_needs_a_way_and_udp_or_tcp():
    core = Core(host=PCSCF, port=0, websocket_port=0)
    await core.start()
    core.add([ALICE])
    client = IsimClient(Card(ALICE))
    profile = client.read_profile()
    try:
        for transport, way in (("UDP", None), ("TCP", None), ("WS", EspLink())):
            one = Terminal(profile, client, core.addresses[transport], host=UE, ipsec=TRANSFORMS, esp=way)
            with pytest.raises(NetworkError, match="needs a way for ESP"):
                await one.register()
        without = Terminal(profile, client, core.addresses["UDP"], host=UE, ipsec=TRANSFORMS, esp=EspLink())
        with pytest.raises(RegistrationFailed, match="no Security-Server"):
            await without.register()
        without.close()
    finally:
        core.close()


async def test_a_link_has_one_end_at_each_address_and_loses_what_is_for_nobody():
    link, driver = EspLink(), Driver(Clock())
    one, ear = await link.open(driver, UE), Ear(PCSCF)
    with pytest.raises(NetworkError, match="close it first"):
        await link.open(driver, UE)
    assert one.send(bytes(20), Address(PCSCF, 0, ESP))
    other = await link.open(driver, PCSCF)
    other.serve(ear)
    assert one.send(b"\1" * 20, Address(PCSCF, 0, ESP))
    assert await ear.heard.get() == (b"\1" * 20, Address(UE, 0, ESP))
    one.close()
    one.close()
    assert await link.open(driver, UE) is not one
    other.close()
    driver.close()


async def test_a_port_that_is_taken():
    driver = Driver(Clock())
    way = EspInUdp(0)
    end = await way.open(driver, PCSCF, server=True)
    with pytest.raises(NetworkError, match="is in use"):
        await way.open(driver, PCSCF, server=True)
    with pytest.raises(NetworkError, match="is in use"):
        await Core(host=PCSCF, port=0, websocket_port=0, esp=way).start()
    assert not end.send(bytes(65_508), Address(UE, 1, ESP))
    end.close()
    end.close()
    assert not end.send(bytes(20), Address(UE, 1, ESP))


async def test_raw_sockets_or_what_to_do_without(monkeypatch):
    if may_open_raw_sockets():
        # Addresses of its own: a raw socket hears all that comes there, from other tests too.
        driver, ear = Driver(Clock()), Ear("127.0.13.21")
        here, there = [await EspOverIp().open(driver, host) for host in ("127.0.13.11", ear.address.host)]
        there.serve(ear)
        assert here.send(b"\1" * 100, Address(ear.address.host, 0, ESP))
        assert await ear.heard.get() == (b"\1" * 100, Address("127.0.13.11", 0, ESP))
        assert not here.send(bytes(70_000), Address(ear.address.host, 0, ESP))
        for end in (here, there, here):
            end.close()
        assert not here.send(b"\1" * 100, Address(ear.address.host, 0, ESP))
        with pytest.raises(NetworkError, match="cannot be used for ESP"):
            esp.raw_socket("192.0.2.1")

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(esp.socket, "socket", refused)
    with pytest.raises(NetworkError, match="CAP_NET_RAW: carry ESP in UDP instead"):
        esp.raw_socket(UE)
