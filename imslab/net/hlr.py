"""Our HSS behind hostapd: vectors for EAP-AKA over a Unix socket, as its hlr_auc_gw gives them.

Spec: RFC 4187 (EAP-AKA); the text protocol of hostapd's eap_sim_db (``hlr_auc_gw.c``): a datagram with
``AKA-REQ-AUTH <IMSI>`` is answered ``AKA-RESP-AUTH <IMSI> <RAND> <AUTN> <IK> <CK> <RES>``, octets in hex, or
``... FAILURE``; ``AKA-AUTS <IMSI> <AUTS> <RAND>`` resynchronises and is not answered.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from imslab.errors import Malformed, NetworkError
from imslab.ims import cx
from imslab.ims.hss import Hss
from imslab.octets import exactly, unhex

_REQUEST, _RESPONSE, _AUTS = "AKA-REQ-AUTH", "AKA-RESP-AUTH", "AKA-AUTS"
_LARGEST = 1000  # octets of a datagram


class Hlr:
    """Answers hostapd's questions from an HSS; ``identities`` maps an IMSI to the private identity there."""

    def __init__(self, hss: Hss, identities: Mapping[str, str]) -> None:
        self._hss, self._identities = hss, dict(identities)
        self.resynchronised = 0

    def answer(self, datagram: bytes, now: float) -> bytes | None:
        """Return the answer to one datagram; None for AKA-AUTS, and for what is no question."""
        words = datagram.decode("ascii", "replace").split()
        if len(words) == 2 and words[0] == _REQUEST:
            return " ".join((_RESPONSE, words[1], *self._vector(words[1], b"", now))).encode()
        if len(words) == 4 and words[0] == _AUTS:
            with contextlib.suppress(Malformed):
                self._resynchronise(words[1], unhex("AUTS", words[2]), unhex("RAND", words[3]), now)
        return None

    def _vector(self, imsi: str, authorization: bytes, now: float) -> list[str]:
        impi = self._identities.get(imsi)
        if impi is None:
            return ["FAILURE"]
        request = cx.MultimediaAuthRequest(f"sip:{impi}", impi, "", authorization)
        answer = self._hss.ask(request, now)
        vector = answer.vector if isinstance(answer, cx.MultimediaAuthAnswer) else None
        if vector is None:
            return ["FAILURE"]
        return [part.hex() for part in (vector.rand, vector.autn, vector.ik, vector.ck, vector.xres)]

    def _resynchronise(self, imsi: str, auts: bytes, rand: bytes, now: float) -> None:
        # The HSS gives a vector with each resynchronisation; hostapd asks for one of its own.
        octets = exactly("RAND", rand, 16) + exactly("AUTS", auts, 14)
        if self._vector(imsi, octets, now) != ["FAILURE"]:
            self.resynchronised += 1


class HlrSocket:
    """The Unix socket at ``path`` (at most about 100 characters) that hostapd's ``eap_sim_db`` names.

    Raises NetworkError when it cannot be opened.
    """

    def __init__(self, hlr: Hlr, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self._hlr, self._path, self._clock = hlr, Path(path), clock
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._path.unlink(missing_ok=True)
            self._socket.bind(str(path))
        except OSError as error:
            self._socket.close()
            raise NetworkError(f"{path}: not usable as a Unix socket ({error.strerror or error})") from None

    def serve(self, seconds: float) -> int:
        """Answer what comes within ``seconds``; return how many questions were answered."""
        answered, end = 0, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                datagram, sender = self._socket.recvfrom(_LARGEST)
            except TimeoutError:
                break
            answer = self._hlr.answer(datagram, self._clock())
            if answer is not None and sender:
                with contextlib.suppress(OSError):  # hostapd went away before its answer
                    self._socket.sendto(answer, sender)
                answered += 1
        return answered

    def close(self) -> None:
        """Close the socket and remove its file."""
        self._socket.close()
        self._path.unlink(missing_ok=True)
