"""Typed views of headers: read when asked for, kept with the message.

Spec: RFC 3261, section 7.3.1: rows of the same name, in their order, are one comma-separated list.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from imslab.errors import Malformed
from imslab.sip.syntax import split_list

if TYPE_CHECKING:
    from imslab.sip.message import Message

T = TypeVar("T")


class View(Generic[T]):
    """A read-only attribute of Message: what ``read`` makes of the rows of one header."""

    __slots__ = ("_read", "key", "name")

    def __init__(self, name: str, read: Callable[[list[str]], T]) -> None:
        self.name, self.key, self._read = name, name.lower(), read

    @overload
    def __get__(self, message: None, owner: object) -> "View[T]": ...
    @overload
    def __get__(self, message: "Message", owner: object) -> T: ...
    def __get__(self, message: "Message | None", owner: object) -> "T | View[T]":
        if message is None:
            return self
        cache: dict[str, Any] = message._cache
        if self.key in cache:
            kept: T = cache[self.key]
            return kept
        found = cache[self.key] = self._checked(message._values().get(self.key, []))
        return found

    def __set__(self, message: "Message", value: object) -> None:
        raise AttributeError(f"a message is immutable: use with_header({self.name!r}, ...)")

    def _checked(self, texts: list[str]) -> T:
        try:
            return self._read(texts)
        except Malformed as error:
            if self.name in str(error):
                raise
            raise Malformed(f"{self.name}: {error}") from error


def one(name: str, parse: Callable[[str], T]) -> View[T]:
    """View a mandatory header: the first row; Malformed when there is none."""

    def read(texts: list[str]) -> T:
        if not texts:
            raise Malformed(f"the message has no {name}")
        return parse(texts[0])

    return View(name, read)


def maybe(name: str, parse: Callable[[str], T]) -> View[T | None]:
    """View an optional header: the first row; None when there is none."""
    return View(name, lambda texts: parse(texts[0]) if texts else None)


def every(name: str, parse: Callable[[str], T]) -> View[tuple[T, ...]]:
    """View a header that is a list: every element of every row."""
    return View(name, lambda texts: tuple(parse(piece) for text in texts for piece in split_list(text)))


def listed(name: str, parse_all: Callable[[str], tuple[T, ...]]) -> View[tuple[T, ...]]:
    """View a header whose rows split by a rule of their own: challenges and credentials."""
    return View(name, lambda texts: tuple(item for text in texts for item in parse_all(text)))


def tokens(name: str) -> View[tuple[str, ...]]:
    """View a list of tokens; an empty header is an empty list (RFC 3261, 20.37)."""
    return View(name, lambda texts: tuple(piece for text in texts for piece in split_list(text) if piece))
