"""What is put on one connection of aiortc: the trace, the keys that open it; nothing on anybody else's."""

import asyncio
import subprocess
from collections import Counter

import pytest

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
        assert (
            not {"get_component_candidates", "add_remote_candidate"} & vars(dtls.transport._connection).keys()
        )
        assert "_create_ssl_context" not in vars(dtls._RTCDtlsTransport__local_certificate)
        assert len(dtls._srtp_profiles) == 3
        await other.close()


@pytest.mark.component("tshark")
@pytest.mark.parametrize("profile", ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"])
async def test_tshark_opens_the_dtls_of_the_trace(call, recording, tmp_path, profile):
    async with call(tap=recording.tap, profiles=[profile]):
        pass
    path, locked = tmp_path / "call.pcapng", tmp_path / "without-secrets.pcapng"
    path.write_bytes(recording.octets)
    locked.write_bytes(recording.without_secrets)
    # Each end's Finished, and its goodbye, are encrypted.
    assert shown(path, "dtls.handshake.type == 20") == 2
    assert shown(path, "dtls.alert_message.desc == 0") >= 1  # close_notify
    assert shown(locked, "dtls.handshake.type == 20 || dtls.alert_message.desc") == 0
    assert shown(path, "stun") >= 4


def shown(path, condition):
    """Return how many frames tshark shows; SIP and SDP must not take the ports for themselves."""
    command = ["tshark", "-r", str(path), "-o", "sdp.establish_conversation:FALSE", "-Y", condition]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return len(done.stdout.splitlines())
