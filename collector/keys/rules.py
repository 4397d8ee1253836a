"""Rules: which scopes a service's routes need, as one table. A route without a rule is not served."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .key import Key

__all__ = ["ANY_KEY", "OPEN", "Everywhere", "Needs", "Rules", "meets"]


class Everywhere(str):
    """A scope that counts only in a key for every tenant."""

    __slots__ = ()


Needs = tuple[str, ...]
"""Scopes, any one of which is enough."""

OPEN: Needs = ()
"""Nobody need say who they are."""

ANY_KEY: Needs = ("any key",)
"""Any key that is good will do, whatever it is for."""


def meets(key: Key, needs: Needs) -> bool:
    """Whether the key has one of the scopes."""
    return needs == ANY_KEY or any(
        key.allows(need) and (key.all_tenants or not isinstance(need, Everywhere)) for need in needs
    )


class Rules:
    """The routes of one service by "METHOD /path", as its OpenAPI document writes them: `{name}` is one segment."""

    def __init__(self, table: Mapping[str, Needs]) -> None:
        self.table = dict(table)
        self._plain: dict[tuple[str, str], Needs] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Needs]] = []
        for route, needs in table.items():
            method, path = route.split()
            if "{" in path:
                pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
                self._patterns.append((method, re.compile(pattern), needs))
            else:
                self._plain[method, path] = needs

    def with_those_of(self, *tables: Mapping[str, Needs]) -> Rules:
        """These and the routes of the tables. Raises ValueError for a route that is there twice."""
        whole = dict(self.table)
        for table in tables:
            for route, needs in table.items():
                if route in whole:
                    raise ValueError(f"{route} has a rule already")
                whole[route] = needs
        return Rules(whole)

    def needs(self, method: str, path: str) -> Needs | None:
        """What the route needs; None where there is no such route."""
        found = self._plain.get((method, path))
        if found is not None:
            return found
        return next((n for m, p, n in self._patterns if m == method and p.fullmatch(path)), None)

    def methods(self, path: str) -> list[str]:
        """The methods that the path may be asked with, sorted; none where nothing is there."""
        plain = [method for method, known in self._plain if known == path]
        return sorted({*plain, *(method for method, pattern, _ in self._patterns if pattern.fullmatch(path))})
