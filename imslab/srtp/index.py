"""The packet index: which 2^16 packets is this sequence number in, and was the packet seen before?

Spec: RFC 3711, sections 3.3.1 and 3.3.2, and appendix A. index = 2^16 * ROC + SEQ has 48 bits; ROC, the
roll-over counter, is never sent.
"""

from imslab.errors import Malformed, Replayed

SEQUENCES = 1 << 16
INDICES = 1 << 48
SMALLEST_WINDOW = 64  # RFC 3711, section 3.3.2
LARGEST_WINDOW = 1 << 15  # beyond it a sequence number belongs to another ROC


def guess_roc(s_l: int, roc: int, seq: int) -> int:
    """Return the ROC of a packet with ``seq``, when ``s_l`` is the highest SEQ so far (appendix A).

    The result is ROC - 1, ROC or ROC + 1, modulo 2^32.
    """
    if s_l < 1 << 15:
        ahead = -1 if seq - s_l > 1 << 15 else 0
    else:
        ahead = 1 if s_l - (1 << 15) > seq else 0
    return (roc + ahead) % (1 << 32)


class ReplayWindow:
    """The indices that were accepted: the highest, and a window of ``size`` behind and with it."""

    def __init__(self, size: int = 128) -> None:
        self.size = check_window(size)
        self.highest: int | None = None
        self._seen = 0  # bit n: the index highest - n was accepted

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it moves on

    @property
    def recent(self) -> list[int]:
        """The accepted indices that the window remembers, from the lowest."""
        if self.highest is None:
            return []
        return [self.highest - behind for behind in range(self.size)[::-1] if self._seen >> behind & 1]

    def check(self, index: int) -> None:
        """Raise Replayed when ``index`` was accepted before, or is too old to tell."""
        if self.highest is None or index > self.highest:
            return
        behind = self.highest - index
        if behind >= self.size:
            raise Replayed(f"index {index} is {behind} behind the highest: outside the window of {self.size}")
        if self._seen >> behind & 1:
            raise Replayed(f"index {index} was accepted before")

    def accept(self, index: int) -> None:
        """Remember an index that was checked, and whose packet proved authentic."""
        if self.highest is None or index > self.highest:
            ahead = self.size if self.highest is None else min(index - self.highest, self.size)
            self._seen = (self._seen << ahead | 1) & ((1 << self.size) - 1)
            self.highest = index
        else:
            self._seen |= 1 << self.highest - index


class RtpIndex(ReplayWindow):
    """The indices of one SSRC's SRTP packets, guessed from their sequence numbers."""

    def __init__(self, roc: int = 0, size: int = 128) -> None:
        super().__init__(size)
        self.roc = check_roc(roc)  # of a first packet

    def guess(self, seq: int) -> int:
        """Return the most likely index of a packet with sequence number ``seq`` (section 3.3.1).

        Before the first packet it is the initial ROC's. There is no ROC before 0: where the RFC's arithmetic
        would give 2^32 - 1, the packet can only belong to ROC 0.
        """
        if self.highest is None:
            return self.roc * SEQUENCES + seq
        roc, s_l = divmod(self.highest, SEQUENCES)
        guessed = guess_roc(s_l, roc, seq)
        return (guessed if abs(guessed - roc) <= 1 else roc) * SEQUENCES + seq


def check_window(size: int) -> int:
    """Return the size of a replay window, or raise Malformed."""
    if not SMALLEST_WINDOW <= size <= LARGEST_WINDOW:
        raise Malformed(f"a replay window of {size}", expected=f"{SMALLEST_WINDOW} to {LARGEST_WINDOW}")
    return size


def check_roc(roc: int) -> int:
    """Return a roll-over counter, 32 bits, or raise Malformed."""
    if not 0 <= roc < 1 << 32:
        raise Malformed(f"{roc} is no roll-over counter", expected="32 bits")
    return roc
