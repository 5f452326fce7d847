"""What a terminal asks of a card for GBA_U: bootstrap, keep the B-TID, derive a NAF's key.

Spec: 3GPP TS 31.103 and 31.102, section 7.1 (GBA security context), 4.2.9 and 4.2.10 (EF.GBABP, EF.GBANL);
TS 33.220, 5.3 and annex G. Ks, and so CK and IK, stay in the card.
"""

from abc import ABC, abstractmethod
from typing import TypeVar

from imslab.errors import CardError, Malformed, SyncFailure
from imslab.octets import exactly
from imslab.uicc import apdu
from imslab.uicc.fcp import Fcp
from imslab.uicc.files.base import ElementaryFile
from imslab.uicc.files.isim import GbaBootstrapping, GbaNaf, length_value
from imslab.uicc.files.usim import UsimGbaBootstrapping, UsimGbaNaf
from imslab.uicc.link import Link, exchange

_USIM = bytes.fromhex("a0000000871002")
_SUCCESS, _SYNC = 0xDB, 0xDC
F = TypeVar("F", bound=ElementaryFile)


class GbaCommands(ABC):
    """The GBA part of a card's client; an application is selected when none is yet."""

    _link: Link
    _selected: bytes

    def gba_bootstrap(self, rand: bytes, autn: bytes) -> bytes:
        """Let the card answer a challenge (16 octets each) and keep Ks; return RES, 4 to 16 octets.

        Raises MacFailure, SyncFailure with AUTS (14 octets), CardError for a card without GBA, CardGone.
        """
        tag, value = _tagged(self._authenticate(apdu.gba_bootstrap(rand, autn)))
        if tag == _SYNC:
            raise SyncFailure("the card says that the SQN is not fresh", auts=exactly("AUTS", value, 14))
        return value

    def gba_naf(self, naf_id: bytes, impi: str) -> bytes:
        """Return Ks_ext_NAF, 32 octets, for a NAF_Id and the private identity.

        Raises CardError with 6985 before the first bootstrapping.
        """
        try:
            name = impi.encode("utf-8")
        except UnicodeEncodeError:
            raise Malformed("the private identity cannot be written in UTF-8") from None
        _, value = _tagged(self._authenticate(apdu.gba_naf(naf_id, name)))
        return exactly("Ks_ext_NAF", value, 32)

    def gba_store(self, rand: bytes, b_tid: str, lifetime: str) -> None:
        """Write RAND, B-TID and key lifetime into EF.GBABP, after a bootstrapping.

        Malformed when they do not fit into the card's file, CardError when the card refuses.
        """
        kind = UsimGbaBootstrapping if self._is_usim() else GbaBootstrapping
        size = self._parameters(kind).size
        contents = kind(rand, b_tid, lifetime).encode(size)
        # 255 octets go into one command; what follows the values is filling.
        self._accept(exchange(self._link, apdu.update_binary(0, contents[:255]))[1], f"UPDATE {kind.NAME}")

    def gba_bootstrapping(self) -> GbaBootstrapping:
        """Read EF.GBABP: RAND, B-TID and lifetime of the last run; all empty when there was none."""
        kind = UsimGbaBootstrapping if self._is_usim() else GbaBootstrapping
        size = min(self._parameters(kind).size or 256, 256)
        data, sw = exchange(self._link, apdu.read_binary(0, size))
        self._accept(sw, f"READ {kind.NAME}")
        return kind.decode(data)

    def gba_nafs(self) -> list[GbaNaf]:
        """Read EF.GBANL: the NAFs for which the card has derived a key, each with its B-TID."""
        kind = UsimGbaNaf if self._is_usim() else GbaNaf
        parameters = self._parameters(kind)
        found = []
        for number in range(1, (parameters.records or 0) + 1):
            data, sw = exchange(self._link, apdu.read_record(number, parameters.record_length or 256))
            self._accept(sw, f"READ {kind.NAME}")
            found.append(kind.decode(data))
        return [one for one in found if one.naf_id]

    def _is_usim(self) -> bool:
        if not self._selected:
            self._select_any()
        return self._selected.startswith(_USIM)

    def _parameters(self, kind: type[F]) -> Fcp:
        data, sw = exchange(self._link, apdu.select_file(kind.FID))
        if sw == 0x6A82:
            raise CardError(
                f"the card has no {kind.NAME}: it does not offer GBA", sw1=0x6A, sw2=0x82, meaning="no GBA"
            )
        self._accept(sw, f"SELECT {kind.NAME}")
        return Fcp.parse(data)

    @abstractmethod
    def _authenticate(self, command: bytes) -> bytes: ...

    @abstractmethod
    def _select_any(self) -> None: ...

    @abstractmethod
    def _accept(self, sw: int, what: str) -> None: ...


def _tagged(data: bytes) -> tuple[int, bytes]:
    """Return tag and value of an answer in the GBA context; raise Malformed for another one."""
    if not data or data[0] not in (_SUCCESS, _SYNC):
        raise Malformed("the answer to AUTHENTICATE has another tag", offset=0, expected="DB or DC")
    value, end = length_value(data, 1, "the answer to AUTHENTICATE")
    if end != len(data) or not value:
        raise Malformed("the answer to AUTHENTICATE has another length", offset=1)
    return data[0], value
