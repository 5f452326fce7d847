"""What is put on one connection of aiortc: the trace, the keys that open it; nothing on anybody else's."""

import asyncio
import subprocess
from collections import Counter

import pytest
import uvloop

from imslab.capture import index
from imslab.errors import AuthenticationFailed
from imslab.media import WebRtcEndpoint

KEY_LOG = 0x544C534B


def kind(octets):
    """Tell what a datagram is by its first octet (RFC 7983, 7), and RTCP by its type (RFC 5761, 4)."""
    if octets[0] < 4:
        return "STUN"
    if 20 <= octets[0] < 64:
        return "DTLS"
    assert 128 <= octets[0] < 192
    return "SRTCP" if 192 <= octets[1] < 224 else "SRTP"


def datagrams(capture):
    """Return source, destination and octets of each datagram of a trace."""
    rows = index.build(capture)
    return [(*rows.endpoints(i), capture.packet(i)[28:]) for i in range(len(capture))]


async def test_the_trace_holds_a_call_from_stun_to_goodbye(call, recording):
    async with call(tap=recording.tap) as (alice, bob):
        await asyncio.gather(*(end.recorded(seconds=0.1, pictures=1) for end in (alice, bob)))
    capture = recording.capture
    assert capture.secrets == [(KEY_LOG, alice.key_log[0] + b"\n")]
    sent = datagrams(capture)
    kinds = [kind(octets) for _, _, octets in sent]
    assert set(kinds) == {"STUN", "DTLS", "SRTP", "SRTCP"}
    assert kinds.index("STUN") < kinds.index("DTLS") < kinds.index("SRTP")
    assert len(set(sent)) == len(sent)  # each datagram once
    assert {(a[0], b[0]) for a, b, _ in sent} == {(alice.host, bob.host), (bob.host, alice.host)}
    assert len({a for a, _, _ in sent}) == 2  # one port at each end: all is multiplexed
    counted = sum(line.packets for end in (alice, bob) for line in end.statistics if line.direction == "out")
    assert kinds.count("SRTP") == counted
    times = capture.records.time.tolist()
    assert times == sorted(times)


@pytest.mark.parametrize("profile", ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"])
async def test_the_ledger_opens_every_packet_of_the_trace(call, recording, profile):
    async with call(tap=recording.tap, profiles=[profile]) as (alice, bob):
        await bob.recorded(seconds=0.1, pictures=1)
    ledger = alice.keying.ledger
    sessions = {end.host: ledger.session(end.keying.role) for end in (alice, bob)}
    opened = Counter()
    for (host, _), _, octets in datagrams(recording.capture):
        if kind(octets) == "SRTP":
            assert len(sessions[host].unprotect(octets)) < len(octets)
            opened[host, "SRTP"] += 1
        elif kind(octets) == "SRTCP":
            packet = sessions[host].unprotect_rtcp(octets)
            opened[host, packet[1]] += 1
    goodbye = 203
    for end in (alice, bob):
        assert opened[end.host, "SRTP"] > 3 and opened[end.host, goodbye] == 2  # sound, and picture
    _, _, some = next(one for one in datagrams(recording.capture) if kind(one[2]) == "SRTP")
    wrong = ledger.session(alice.keying.role), ledger.session(bob.keying.role)
    with pytest.raises(AuthenticationFailed):
        [session.unprotect(some) for session in wrong]


async def test_a_peer_that_tells_nothing_is_recorded_where_it_arrives(recording):
    alice = WebRtcEndpoint("alice", "127.0.9.11", tap=recording.tap)
    stranger = WebRtcEndpoint("bob", "127.0.9.12")
    try:
        await alice.accept(await stranger.answer(await alice.offer()))
        await asyncio.gather(alice.connected(), stranger.connected())
        sent = datagrams(recording.capture)
        came = [kind(octets) for (host, _), _, octets in sent if host == stranger.host]
        assert set(came) >= {"STUN", "DTLS", "SRTP"}
        assert len(set(sent)) == len(sent)
    finally:
        await asyncio.gather(alice.close(), stranger.close())


async def test_names_of_the_local_network_are_looked_up_nowhere(webrtc):
    async with webrtc() as (alice, bob):
        offer = (await alice.offer()).decode()
        hidden = offer.replace(f" {alice.host} ", " 5c2c3f0e-0000-4000-8000-000000000000.local ")
        assert hidden.count(".local") == 2
        await alice.accept(await bob.answer(hidden.encode()))
        await asyncio.gather(alice.connected(), bob.connected())  # bob learns the address from alice's checks


async def test_nothing_is_changed_for_other_connections(call):
    from aiortc import RTCPeerConnection

    async with call(profiles=["AES_CM_128_HMAC_SHA1_80"]):
        other = RTCPeerConnection()
        other.addTransceiver("audio")
        dtls = other.getTransceivers()[0].receiver.transport
        watched = {"_handle_rtp_data", "_send_rtp", "_validate_peer_identity"}
        assert not watched & vars(dtls).keys()
        assert not {"gather_candidates", "add_remote_candidate"} & vars(dtls.transport._connection).keys()
        assert "_create_ssl_context" not in vars(dtls._RTCDtlsTransport__local_certificate)
        assert len(dtls._srtp_profiles) == 3
        await other.close()


def test_it_is_watched_on_uvloop_too(call, recording):
    async def one_call():
        async with call(tap=recording.tap):
            pass

    uvloop.run(one_call())
    assert {kind(octets) for _, _, octets in datagrams(recording.capture)} == {
        "STUN",
        "DTLS",
        "SRTP",
        "SRTCP",
    }


@pytest.mark.component("tshark")
async def test_tshark_opens_the_dtls_of_the_trace(call, recording, tmp_path):
    async with call(tap=recording.tap):
        pass
    path, locked = tmp_path / "call.pcapng", tmp_path / "without-secrets.pcapng"
    path.write_bytes(recording.octets)
    locked.write_bytes(recording.without_secrets)
    finished, close_notify = "20", "0"
    handshake, alerts = shown(path)
    assert handshake[finished] == 2 and alerts[close_notify] >= 1  # all of these are encrypted
    handshake, alerts = shown(locked)
    assert handshake["1"] and not handshake[finished] and not alerts[close_notify]


def shown(path):
    """Count the handshake messages and the alerts that tshark can read.

    Where SIP and SDP are in the trace too, SDP would take the ports for RTP.
    """
    fields = ["-T", "fields", "-e", "dtls.handshake.type", "-e", "dtls.alert_message.desc"]
    command = ["tshark", "-r", str(path), "-o", "sdp.establish_conversation:FALSE", "-Y", "dtls", *fields]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    columns = zip(*(line.split("\t") for line in done.stdout.splitlines()), strict=True)
    return [Counter(value for cell in column for value in cell.split(",")) for column in columns]
