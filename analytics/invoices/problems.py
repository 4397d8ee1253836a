"""Problems: everything that is wrong with a statement, each with its place, up to fifty a file."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["InvoiceError", "Problems", "shown"]

_MOST = 50
_LONGEST = 60


class InvoiceError(ValueError):
    """A statement that cannot be used: a line for each problem, which names file, place, value and what to write."""


class Problems:
    """What was found in the file `source`, in the order in which it was found."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines: list[str] = []
        self._more = 0

    def add(self, place: str, why: str) -> None:
        """`why` repeats the value, by `shown`, and says what to write."""
        if len(self._lines) < _MOST:
            self._lines.append(f"{self._source}: {place}: {why}")
        else:
            self._more += 1

    def stop(self) -> None:
        """Raise InvoiceError if anything was found."""
        if self._lines:
            raise self._error()

    def refuse(self, place: str, why: str) -> NoReturn:
        """Raise InvoiceError with what was found and with this: nothing further can be read."""
        self.add(place, why)
        raise self._error()

    def _error(self) -> InvoiceError:
        more = [f"{self._source}: {self._more} more; mend these first"] if self._more else []
        return InvoiceError("\n".join([*self._lines, *more]))


def shown(value: object) -> str:
    """A value of a file as a problem repeats it: on one line, and not too long."""
    if value is None:
        return "nothing"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return f'"{cut}"' if isinstance(value, str) else cut
