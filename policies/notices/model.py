"""What a notices file says, as values: where news of breakers goes, and which of it goes where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from .addresses import Network
from .events import Event, Kind

__all__ = ["Destination", "Mail", "NoticeSet", "Slack", "Tls", "Webhook"]


class Tls(StrEnum):
    """How mail is encrypted on its way to the server: after a plain greeting, from the first byte on, or not."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Signed JSON to `url`. Each of `keys` signs: while one takes over from another there are two."""

    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Slack:
    """A message in Slack's format. Whoever knows `url` may post there: it is a secret."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """Text by SMTP. `login` is user and password."""

    server: str
    port: int
    tls: Tls
    sender: str
    to: tuple[str, ...]
    login: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where, and what: an event must be of one of `kinds`, and match one of `scopes` and of `ceilings` (empty: any).

    A scope maps dimensions to patterns; an event without such a dimension does not match it. What happens in shadow
    is told where `shadow` says so.
    """

    name: str
    way: Webhook | Slack | Mail
    kinds: frozenset[Kind] = frozenset(Kind)
    scopes: tuple[Mapping[str, str], ...] = ()
    ceilings: tuple[str, ...] = ()
    shadow: bool = False

    def wants(self, event: Event) -> bool:
        """Whether this event is told here."""
        return (
            event.kind in self.kinds
            and (self.shadow or not event.shadow)
            and (not self.scopes or any(_within(event.scope, scope) for scope in self.scopes))
            and (not self.ceilings or any(_like(event.policy, pattern) for pattern in self.ceilings))
        )

    def wants_reminder(self, owner: str) -> bool:
        """Whether it is told here what this owner ("": nobody in particular) has to do; it is of no ceiling."""
        scope = {"owner": owner} if owner else {}
        return (
            Kind.REVIEW in self.kinds
            and not self.ceilings
            and (not self.scopes or any(_within(scope, each) for each in self.scopes))
        )


@dataclass(frozen=True, slots=True)
class NoticeSet:
    """Everything a notices file says. Inside networks are reached only where they lie in `allowed`."""

    destinations: tuple[Destination, ...]
    interval_s: float = 30.0
    allowed: tuple[Network, ...] = ()


def _within(scope: Mapping[str, str], patterns: Mapping[str, str]) -> bool:
    return all(name in scope and _like(scope[name], pattern) for name, pattern in patterns.items())


def _like(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern, in which `*` is any text and every other character itself, as in those of keys."""
    return fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]"))
