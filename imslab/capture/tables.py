"""Tables of a capture as pandas DataFrames: packets, messages, APDUs, registrations, challenges.

Times are seconds since the first packet, as in Wireshark; octets stand as hex.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from imslab.capture.file import CaptureFile
from imslab.capture.index import TCP, UDP, Index, address
from imslab.capture.sip import SipEvent, view
from imslab.capture.streams import RtpStream
from imslab.capture.texts import TextMessage
from imslab.capture.transactions import Transaction

if TYPE_CHECKING:
    import pandas as pd

    from imslab.capture.apdu import ApduEvent
    from imslab.capture.call import Call
    from imslab.capture.registration import Registration
    from imslab.capture.registrations import Challenge

_MESSAGE = (
    "frame", "time", "src", "sport", "dst", "dport", "transport", "start_line", "method", "status", "call_id",
    "cseq", "length",
)  # fmt: skip
_APDU = ("frame", "time", "seconds", "label", "answer", "command", "response", "sw")
_REGISTRATION = (
    "impi", "impu", "algorithm", "result", "status", "resync", "verified", "time", "seconds", "frames",
)  # fmt: skip
_VECTOR = (
    "frame", "impi", "algorithm", "rand", "sqn_xor_ak", "amf", "mac_a", "auts", "verified", "sqn",
)  # fmt: skip

_CALL = (
    "call_id", "from", "to", "state", "status", "time", "setup_s", "ringing_s", "duration_s", "messages",
    "streams", "frames",
)  # fmt: skip
_TRANSACTION = (
    "frame", "time", "src", "sport", "dst", "dport", "method", "status", "call_id", "cseq",
    "first_response_s", "final_response_s", "retransmissions",
)  # fmt: skip
_STREAM = (
    "frame", "time", "src", "sport", "dst", "dport", "ssrc", "payload_type", "codec", "packets", "lost",
    "loss", "duplicates", "reordered", "gaps", "longest_gap", "jitter_ms_mean", "jitter_ms_max",
    "longest_wait_s", "seconds", "talk_s", "encrypted", "decrypted", "call_id",
)  # fmt: skip


def packets(file: CaptureFile, index: Index, frames: frozenset[int] | None) -> "pd.DataFrame":
    """Return one row for each packet; what is not UDP or TCP has no addresses here."""
    import pandas as pd

    records, rows = file.records, index.frame - 1
    columns: dict[str, Any] = {
        "frame": np.arange(1, len(file) + 1),
        "time": (records.time - records.time[:1]) / 1e9 if len(file) else np.zeros(0),
        "length": records.original,
    }
    protocol = np.full(len(file), "", dtype=object)
    protocol[rows] = np.where(index.protocol == UDP, "udp", np.where(index.protocol == TCP, "tcp", ""))
    columns["protocol"] = protocol
    for name, values in (
        ("src", _texts(index.source)),
        ("sport", index.sport),
        ("dst", _texts(index.target)),
        ("dport", index.dport),
        ("payload", index.length),
    ):
        column: Any = (
            np.full(len(file), "", dtype=object) if name in ("src", "dst") else np.zeros(len(file), np.int64)
        )
        column[rows] = values
        columns[name] = column
    table = pd.DataFrame(columns)
    return table if frames is None else table[table["frame"].isin(frames)].reset_index(drop=True)


def messages(events: Iterable[SipEvent], start: float) -> "pd.DataFrame":
    """Return one row for each SIP message; ``start``: the time of the first packet, epoch seconds."""
    return table(_MESSAGE, (_message_row(event, start) for event in events))


def apdus(events: "Iterable[ApduEvent]", start: float) -> "pd.DataFrame":
    """Return one row for each APDU and answer to reset."""
    return table(_APDU, (_apdu_row(event, start) for event in events))


def registrations(logins: "Iterable[Registration]", start: float) -> "pd.DataFrame":
    """Return one row for each registration."""
    return table(_REGISTRATION, (_registration_row(login, start) for login in logins))


def vectors(logins: "Iterable[Registration]", events: "Iterable[ApduEvent]") -> "pd.DataFrame":
    """Return one row for each AKA challenge: those of SIP, and those that only a card was asked."""
    return table(_VECTOR, _vector_rows(logins, events))


def calls(found: "Iterable[Call]", start: float) -> "pd.DataFrame":
    """Return one row for each call; spans in seconds, missing where an end was not seen."""
    return table(_CALL, (_call_row(call, start) for call in found))


def transactions(found: Iterable[Transaction], start: float) -> "pd.DataFrame":
    """Return one row for each SIP transaction on each hop."""
    return table(_TRANSACTION, (_transaction_row(one, start) for one in found))


def texts(found: Iterable[TextMessage], start: float) -> "pd.DataFrame":
    """Return one row for each text message."""
    rows = (
        (one.frame, since(one.at, start), one.sender, one.recipient, one.text, one.status) for one in found
    )
    return table(("frame", "time", "from", "to", "text", "status"), rows)


def streams(found: Iterable[RtpStream], start: float) -> "pd.DataFrame":
    """Return one row for each RTP stream."""
    return table(_STREAM, (_stream_row(stream, start) for stream in found))


def table(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> "pd.DataFrame":
    """Return rows as a table; a status that is missing stays missing."""
    import pandas as pd

    made = pd.DataFrame(list(rows), columns=list(columns))
    return made.astype({"status": "Int64"}) if "status" in columns else made


def since(at: float, start: float) -> float:
    """Return a time as tables have it: seconds since the first packet, to the microsecond."""
    return round(at - start, 6)


def _texts(octets: Any) -> Any:
    """Return the addresses as text: each different one is written once."""
    if not len(octets):
        return np.zeros(0, dtype=object)
    different, which = np.unique(octets, axis=0, return_inverse=True)
    return np.array([address(row.tobytes()) for row in different], dtype=object)[which.reshape(-1)]


def _message_row(event: SipEvent, start: float) -> tuple[Any, ...]:
    message, request = event.message, event.message.is_request
    cseq = view(message, "cseq")
    return (
        event.frame,
        since(event.at, start),
        *event.source,
        *event.destination,
        event.transport,
        message.start_line,
        message.method if request else (cseq.method if cseq else ""),
        None if request else message.status,
        view(message, "call_id") or "",
        str(cseq) if cseq else "",
        len(bytes(message)),
    )


def _apdu_row(event: "ApduEvent", start: float) -> tuple[Any, ...]:
    sw = "" if event.sw is None else f"{event.sw:04X}"
    octets = event.command.hex(), event.response.hex()
    return event.frame, since(event.at, start), event.seconds, event.label, event.answer, *octets, sw


def _registration_row(login: "Registration", start: float) -> tuple[Any, ...]:
    verified = login.challenge.verified if login.challenge else None
    when = since(login.messages[0].at, start), round(login.seconds, 6)
    state = login.algorithm, login.result, login.status, login.resync, verified
    return login.impi, login.impu, *state, *when, list(login.frames)


def _vector_rows(
    logins: "Iterable[Registration]", events: "Iterable[ApduEvent]"
) -> Iterator[tuple[Any, ...]]:
    from imslab.capture.apdu import pairs

    seen = set()
    for login in logins:
        for challenge in login.challenges:
            if challenge.autn:
                seen.add(challenge.rand)
                yield _vector_row(challenge, login.impi)
    for pair in pairs(events):  # a card that was asked by somebody else
        parts = pair.parts
        if "MAC" in parts and parts["RAND"] not in seen:
            autn = [parts[name].hex() for name in ("SQN xor AK", "AMF", "MAC")]
            yield pair.events[0].frame, "", "", parts["RAND"].hex(), *autn, "", None, ""


def _vector_row(challenge: "Challenge", impi: str) -> tuple[Any, ...]:
    octets = challenge.rand, challenge.sqn_xor_ak, challenge.amf, challenge.mac_a, challenge.auts
    hexes = [value.hex() for value in octets]
    return challenge.frame, impi, challenge.algorithm, *hexes, challenge.verified, challenge.sqn.hex()


def _call_row(call: "Call", start: float) -> tuple[Any, ...]:
    spans = call.setup, call.ringing, call.duration
    ends = call.call_id, call.caller, call.callee, call.state, call.status, since(call.began, start)
    return *ends, *map(_rounded, spans), len(call.messages), len(call.streams), list(call.frames)


def _transaction_row(one: Transaction, start: float) -> tuple[Any, ...]:
    place = one.frame, since(one.at, start), *one.source, *one.destination
    waits = map(_rounded, (one.first_response, one.final_response))
    return *place, one.method, one.status, one.call_id, one.cseq, *waits, one.retransmissions


def _stream_row(stream: RtpStream, start: float) -> tuple[Any, ...]:
    codec = stream.codec
    return (
        stream.frame,
        since(stream.began, start),
        *stream.source,
        *stream.destination,
        f"0x{stream.ssrc:08X}",
        stream.payload_type,
        codec.name if codec else "",
        len(stream),
        stream.lost,
        stream.loss,
        stream.duplicates,
        stream.reordered,
        stream.gaps,
        stream.longest_gap,
        stream.jitter_mean,
        stream.jitter_max,
        stream.longest_wait,
        round(stream.duration, 6),
        _rounded(stream.talk),
        stream.encrypted,
        stream.decrypted,
        stream.call_id,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
