"""An attack that must fail, as a notebook shows it: ``with imslab.refuses(MacFailure): ...``."""

from types import TracebackType
from typing import Self


class refuses:
    """Expect that the block is refused with one of ``kinds``, and say with which words.

        with imslab.refuses(MacFailure) as caught:
            open_autn(m, rand, forged)
        caught.error          # the MacFailure

    Raises AssertionError when nothing is refused; any other exception goes through.
    """

    # Lower case, since it is read as a verb (as contextlib.suppress is).

    def __init__(self, *kinds: type[BaseException]) -> None:
        if not kinds:
            raise TypeError("refuses() needs the error that is expected, such as imslab.MacFailure")
        self._kinds = kinds
        self._error: BaseException | None = None

    @property
    def error(self) -> BaseException:
        """The error that was caught; AssertionError before the block has been refused."""
        if self._error is None:
            raise AssertionError(f"nothing was refused; expected {self._expected}")
        return self._error

    def __enter__(self) -> Self:
        self._error = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            raise AssertionError(f"nothing was refused; expected {self._expected}")
        if not isinstance(error, self._kinds):
            return False
        # Without its traceback, the error does not keep the cell's local values (keys among them) alive.
        self._error = error.with_traceback(None)
        print(self)
        return True

    def __repr__(self) -> str:
        if self._error is None:
            return f"expects {self._expected}"
        return f"refused: {type(self._error).__name__}: {self._error}"

    @property
    def _expected(self) -> str:
        return " or ".join(kind.__name__ for kind in self._kinds)
