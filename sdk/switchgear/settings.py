"""Settings of the SDK: arguments of `configure`, else the environment, else defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypedDict
from urllib.parse import urlsplit

from .errors import ConfigError
from .tier import Tier

__all__ = ["Options", "Settings"]

_OFF = ("0", "off", "false", "no")
_ON = ("1", "on", "true", "yes")
_CACHE_URL = "http://127.0.0.1:8720"


class Options(TypedDict, total=False):
    """What may be given to `configure` by name beside what stands in its signature; None: not given."""

    max_stale_s: float | None
    before_first: Literal["open", "closed"] | None
    max_retries: int | None
    retry_ratio: float | None
    patience_interactive_s: float | None
    patience_batch_s: float | None
    patience_background_s: float | None
    concurrency: int | None
    propagate_to: str | None
    flush_ms: int | None
    spool: str | Path | None
    spool_mb: int | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the services are, who this process is unless a task says otherwise, and how it bears their absence.

    The environment variable of each is its name in capitals, after SWITCHGEAR_.
    """

    collector: str = "http://127.0.0.1:4318"
    policies: str = "http://127.0.0.1:8700"
    api_key: str | None = None
    tenant: str | None = None
    tier: Tier = Tier.BATCH
    guard: bool = True
    """Whether calls ask before they spend; else they are only tagged and metered."""
    max_stale_s: float = 60.0
    """How long the last decision is followed while the policy engine is away."""
    before_first: Literal["open", "closed"] = "open"
    """Whether calls go while the policy engine was never heard."""
    max_retries: int = 2
    """How often a call is tried again at most, unless the wrapped client says otherwise."""
    retry_ratio: float = 0.15
    """Retries to a call that a workload may make over a minute, in this process, while the engine is away."""
    patience_interactive_s: float = 30.0
    patience_batch_s: float = 120.0
    patience_background_s: float = 600.0
    """How long a call of each tier waits for its turn before it gives up."""
    concurrency: int | None = None
    """How many guarded calls of this process may be on their way at once; the others wait in the scheduler."""
    propagate_to: str = ""
    """Hosts that are told the task of a request, with commas between: "agents.internal, *.example.com:8080"."""
    flush_ms: int = 200
    """How long a finished span waits for company before it is sent."""
    spool: Path | None = None
    """Where billing records wait while the collector is away; None: a folder of the user's own."""
    spool_mb: int = 64
    """How much may wait there; 0 keeps nothing on disk."""
    cache: str | Path | None = None
    """Where answers are kept for clients that ask for a cache: a folder of this process's, or the URL of a service."""

    @classmethod
    def read(cls, *, environ: Mapping[str, str] = os.environ, **given: Any) -> Settings:
        """Settings from arguments (None: not given) and environment.

        Raises ConfigError that names the setting and its value.
        """
        values = {}
        for each in fields(cls):
            name = f"SWITCHGEAR_{each.name.upper()}"
            value = given.pop(each.name, None)
            if value is None:
                value = environ.get(name) or None
            if value is not None:
                values[each.name] = _read(name, each.name, value, each.default)
        if given:
            raise ConfigError(f"{next(iter(given))}: there is no such setting")
        return cls(**values)

    def patience_s(self, tier: Tier) -> float:
        """How long a call of this tier waits for its turn, in seconds."""
        match tier:
            case Tier.INTERACTIVE:
                return self.patience_interactive_s
            case Tier.BATCH:
                return self.patience_batch_s
            case Tier.BACKGROUND:
                return self.patience_background_s


def _read(name: str, field_name: str, value: Any, default: Any) -> Any:
    """The value that a text names, or the value itself where it is of that kind already."""
    try:
        match field_name:
            case "collector" | "policies":
                return _url(value, default)
            case "tier":
                return Tier.parse(value)
            case "guard":
                return _switch(value)
            case "before_first":
                return _one_of(value, ("open", "closed"))
            case "spool":
                return Path(value).expanduser()
            case "cache":
                return _url(value, _CACHE_URL) if "://" in str(value) else Path(value).expanduser()
            case "max_retries" | "flush_ms" | "spool_mb":
                return _number(int, value, 0)
            case "concurrency":
                return _number(int, value, 1)
            case "api_key":
                return _key(value)
            case "tenant" | "propagate_to":
                return str(value)
            case _:
                return _number(float, value, 0.0)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


def _url(value: str, default: str) -> str:
    parts = urlsplit(value)
    # Asked for a port that is none, it raises ValueError.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(f'"{value}" is not an address; write "{default}"')
    return value.rstrip("/")


def _key(value: Any) -> str:
    text = str(value).strip()
    # It goes into a header. It is not shown here, as messages end in logs.
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("there are spaces, line ends or letters beyond ASCII in it, which no key has")
    return text


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in _ON:
        return True
    if str(value).lower() in _OFF:
        return False
    raise ValueError(f'"{value}" is neither on nor off')


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f'"{value}" is unknown; there are: {", ".join(known)}')
    return value


def _number(kind: type[int] | type[float], value: Any, least: float) -> float:
    try:
        number = kind(value)
    except (TypeError, ValueError):
        raise ValueError(f'"{value}" is no {"whole number" if kind is int else "number"}') from None
    if not least <= number < float("inf"):
        raise ValueError(f'"{value}" is not {least:g} or more')
    return number
