"""Settings of the SDK: arguments of `configure`, else the environment, else defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import ConfigError
from .tier import Tier

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the services are and who this process is, unless a task says otherwise."""

    collector: str = "http://127.0.0.1:4318"
    policies: str = "http://127.0.0.1:8700"
    api_key: str | None = None
    tenant: str | None = None
    tier: Tier = Tier.BATCH
    flush_ms: int = 200
    """How long a finished span waits for company before it is sent."""
    max_stale_s: float = 60.0
    """How long the last decision is followed while the policy engine is away."""

    @classmethod
    def read(
        cls,
        *,
        collector: str | None = None,
        policies: str | None = None,
        api_key: str | None = None,
        tenant: str | None = None,
        tier: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Settings:
        """Settings from arguments and environment. Raises ConfigError that names the setting and its value."""
        default = cls()
        chosen_tier = tier or environ.get("SWITCHGEAR_TIER") or default.tier.value
        try:
            parsed_tier = Tier.parse(chosen_tier)
        except ValueError as error:
            raise ConfigError(f"SWITCHGEAR_TIER: {error}") from None
        return cls(
            collector=_url(
                "SWITCHGEAR_COLLECTOR", collector or environ.get("SWITCHGEAR_COLLECTOR"), default.collector
            ),
            policies=_url(
                "SWITCHGEAR_POLICIES", policies or environ.get("SWITCHGEAR_POLICIES"), default.policies
            ),
            api_key=api_key or environ.get("SWITCHGEAR_API_KEY") or None,
            tenant=tenant or environ.get("SWITCHGEAR_TENANT") or None,
            tier=parsed_tier,
        )


def _url(name: str, value: str | None, default: str) -> str:
    if not value:
        return default
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f'{name}: "{value}" is not an address; write "{default}"')
    return value.rstrip("/")
