"""Room: how much of what is being read and decoded may be in memory, in all and of one key.

What counts are the bytes that have arrived, not those that were announced: a sender who sends nothing takes no room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import BusyError
from ..keys.key import Key
from .inflate import MAX_BODY_BYTES

__all__ = ["Place", "Room"]

MAX_BYTES = 4 * MAX_BODY_BYTES
MAX_KEY_BYTES = 2 * MAX_BODY_BYTES


class Place:
    """What one request holds of the room."""

    def __init__(self, room: Room, key: Key) -> None:
        self._room = room
        self._key = key
        self.held = 0

    def grow(self, size: int) -> None:
        """Hold `size` bytes more. Raises BusyError where there is no room for them."""
        self._room.claim(self._key, size)
        self.held += size


class Room:
    """The bytes held by all requests, by key. For one event loop."""

    def __init__(self, *, requests_per_key: int) -> None:
        """`requests_per_key` binds keys that speak for some tenants; one for every tenant is the operator's."""
        self._requests_per_key = requests_per_key
        self._bytes: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Bytes that all requests hold."""
        return self._bytes.total()

    @contextmanager
    def enter(self, key: Key) -> Iterator[Place]:
        """A place for one request, given back at the end. Raises BusyError where the key has too many."""
        if not key.all_tenants and self._requests[key.id] >= self._requests_per_key:
            raise BusyError(
                f"{self._requests[key.id]} requests of this key are under way; send this again when one is done"
            )
        place = Place(self, key)
        self._requests[key.id] += 1
        try:
            yield place
        finally:
            self._requests[key.id] -= 1
            self._bytes[key.id] -= place.held

    def claim(self, key: Key, size: int) -> None:
        """Count `size` bytes as the key's. Raises BusyError where they pass its share or the whole."""
        if self._bytes[key.id] + size > MAX_KEY_BYTES:
            raise BusyError(f"{self._bytes[key.id]} bytes of this key are being read; send this again later")
        if self.held + size > MAX_BYTES:
            raise BusyError(f"{self.held} bytes are being read; send this again later")
        self._bytes[key.id] += size
