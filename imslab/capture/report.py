"""What a capture says, as one value that JSON can write: the contract of ``imslab inspect --json``.

The schema is data/schema/inspect.schema.json. Times are epoch seconds, spans seconds, jitter milliseconds;
what is not known is null. Frames count from 1. Nothing here loads pandas: a program waits for this.
"""

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from imslab.capture.index import LINK_NAMES

if TYPE_CHECKING:
    from imslab.capture.call import Call
    from imslab.capture.capture import Capture
    from imslab.capture.dtls import DtlsSession
    from imslab.capture.findings import Finding
    from imslab.capture.registration import Registration
    from imslab.capture.streams import RtpStream

Json = dict[str, Any]


def report(capture: "Capture") -> Json:
    """Return everything that the contract names; a part of a capture gives the report of that part."""
    return {
        "capture": _file(capture),
        "sip": _sip(capture),
        "registrations": [_registration(login) for login in capture.logins],
        "calls": [_call(call) for call in capture.call_list],
        "rtp": [_stream(capture, stream) for stream in capture.rtp],
        "rtcp": _rtcp(capture),
        "dtls": [_dtls(session) for session in capture.dtls],
        "stun": {"messages": len(capture.stun), "by_type": capture.stun.by_type},
        "esp": _esp(capture),
        "apdu": _apdu(capture),
        "findings": [_finding(one) for one in capture.findings],
        "warnings": capture.warnings,
    }


def _file(capture: "Capture") -> Json:
    file, records = capture.file, capture.file.records
    rows = slice(None) if capture.frames is None else np.array(sorted(capture.frames), np.int64) - 1
    time, link = records.time[rows], records.link[rows]
    return {
        "file": file.name,
        "format": file.format,
        "packets": len(time),
        "octets": int(records.original[rows].sum()),
        "first": int(time.min()) / 1e9 if len(time) else None,
        "last": int(time.max()) / 1e9 if len(time) else None,
        "link_types": [
            LINK_NAMES.get(kind, str(kind)) for kind in np.flatnonzero(np.bincount(link)).tolist()
        ],
        "truncated": file.truncated,
    }


def _sip(capture: "Capture") -> Json:
    events = capture.sip
    requests = Counter(event.message.method for event in events if event.message.is_request)
    responses = Counter(str(event.message.status) for event in events if not event.message.is_request)
    broken = {event.frame for event in events if event.problem} | set(capture.unreadable_sip)
    return {
        "messages": len(events),
        "requests": dict(sorted(requests.items())),
        "responses": dict(sorted(responses.items())),
        "transports": dict.fromkeys(("udp", "tcp", "ws"), 0) | Counter(event.transport for event in events),
        "malformed": len(broken),
    }


def _registration(login: "Registration") -> Json:
    challenge = login.challenge
    aka = None
    if challenge is not None and challenge.autn:
        octets = "rand", "autn", "amf", "sqn_xor_ak", "mac_a"
        aka = {name: getattr(challenge, name).hex() for name in octets} | {"verified": challenge.verified}
    return {
        "impi": login.impi,
        "impu": login.impu,
        "algorithm": login.algorithm,
        "result": login.result,
        "status": login.status,
        "resync": login.resync,
        "frames": list(login.frames),
        "aka": aka,
    }


def _call(call: "Call") -> Json:
    return {
        "call_id": call.call_id,
        "from": call.caller,
        "to": call.callee,
        "state": call.state,
        "status": call.status,
        "setup_s": _number(call.setup),
        "ringing_s": _number(call.ringing),
        "duration_s": _number(call.duration),
        "frames": list(call.frames),
    }


def _stream(capture: "Capture", stream: "RtpStream") -> Json:
    codec = stream.codec
    return {
        "src": stream.source[0],
        "sport": stream.source[1],
        "dst": stream.destination[0],
        "dport": stream.destination[1],
        "ssrc": f"0x{stream.ssrc:08X}",
        "payload_type": stream.payload_type,
        "payload_types": {str(kind): count for kind, count in stream.payload_types.items()},
        "codec": codec.name if codec else None,
        "packets": len(stream),
        "expected": stream.expected,
        "lost": stream.lost,
        "loss": _number(stream.loss),
        "duplicates": stream.duplicates,
        "reordered": stream.reordered,
        "jitter_ms_mean": _number(stream.jitter_mean),
        "jitter_ms_max": _number(stream.jitter_max),
        "talk_s": _number(stream.talk),
        "dtmf": "".join(key.key for key in capture.keys_pressed(stream)),
        "mos": _number(capture.mos(stream)),
        "encrypted": stream.encrypted,
        "decrypted": stream.decrypted,
        "call_id": stream.call_id or None,
    }


def _rtcp(capture: "Capture") -> Json:
    kinds = Counter(str(packet.type) for packet in capture.rtcp)
    return {"packets": kinds.total(), "by_type": dict(sorted(kinds.items()))}


def _dtls(session: "DtlsSession") -> Json:
    from imslab.srtp.prf import VERSION_NAMES

    handshake = session.handshake
    hello = handshake.client_hello
    return {
        "client": "{}:{}".format(*session.client),
        "server": "{}:{}".format(*session.server),
        "version": VERSION_NAMES.get(handshake.version or 0),
        "cipher_suite": None if handshake.cipher_suite is None else f"0x{handshake.cipher_suite:04x}",
        "srtp_profile": session.profile,
        "srtp_offered": [f"0x{code:04x}" for code in (hello.srtp_profiles if hello else ())],
        "fingerprints": dict(session.fingerprints),
        "matches_sdp": dict(session.matches),
        "records": {str(kind): count for kind, count in session.records.items()},
        "frames": list(session.frames),
        "call_id": session.call_id or None,
    }


def _esp(capture: "Capture") -> list[Json]:
    """Return a row for each security association: two addresses and the SPI."""
    return [
        {
            "src": flow.source,
            "dst": flow.destination,
            "spi": f"0x{flow.spi:08x}",
            "packets": flow.packets,
            "decrypted": flow.decrypted,
            "authenticated": flow.authenticated,
            "encryption": flow.encryption or None,
            "integrity": flow.integrity or None,
        }
        for flow in capture.esp
    ]


def _finding(one: "Finding") -> Json:
    return {
        "severity": one.severity.value,
        "rule": one.rule,
        "what": one.what,
        "why": one.why,
        "clause": one.clause,
        "frames": list(one.frames),
    }


def _apdu(capture: "Capture") -> Json:
    commands = [event.command for event in capture.apdu_events if event.command]
    return {
        "commands": len(commands),
        "authenticate": sum(1 for command in commands if command[1:2] == b"\x88"),
    }


def _number(value: float | None) -> float | None:
    """Return a number to the microsecond, or to a millionth; None for what is not known."""
    return None if value is None or math.isnan(value) else round(value, 6)
