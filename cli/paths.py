"""Which file a command goes by: the one given, else one of the usual name where it runs."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "chargeback_path",
    "contract_path",
    "notice_path",
    "oidc_path",
    "policy_path",
    "price_path",
]


def policy_path(given: Path | None) -> Path:
    """The policy file to use: the one given, else `policies.yaml` here, else the packaged starter."""
    if given is not None:
        return given
    here = Path("policies.yaml")
    if here.exists():
        return here
    import policies as package

    return Path(str(package.__file__)).parent / "library" / "starter.yaml"


def price_path(given: Path | None) -> Path | None:
    """The price file to use: the one given, else `prices.yaml` here, else none: list prices alone."""
    here = Path("prices.yaml")
    return given if given is not None else here if here.exists() else None


def contract_path(given: Path | None) -> Path | None:
    """The contracts to use: the file given, else `contracts.yaml` here, else none."""
    here = Path("contracts.yaml")
    return given if given is not None else here if here.exists() else None


def chargeback_path(given: Path | None) -> Path | None:
    """What chargeback goes by: the file given, else `chargeback.yaml` here, else none: what holds by default."""
    here = Path("chargeback.yaml")
    return given if given is not None else here if here.exists() else None


def notice_path(given: Path | None) -> Path | None:
    """The notices to use: the file given, else `notices.yaml` here, else none: nobody is told."""
    here = Path("notices.yaml")
    return given if given is not None else here if here.exists() else None


def oidc_path(given: Path | None) -> Path | None:
    """Whose tokens are taken: the file given, else `oidc.yaml` here, else none: keys alone."""
    here = Path("oidc.yaml")
    return given if given is not None else here if here.exists() else None
