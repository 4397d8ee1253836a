"""Terms as a document, and what holds where both the code and a policy have some.

The document is what a decision carries and what goes to an endpoint: names, numbers and texts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

from .model import Mode, Terms

__all__ = ["document_of", "group_of", "terms_of", "together"]

_USUAL = Terms()
# What is longer is for ever.
_LONGEST_S = 1e13


def document_of(terms: Terms, group: str | None = None) -> dict[str, Any]:
    """The terms as a document; decimals are text, lengths of time seconds."""
    return {
        "mode": terms.mode.value,
        "bound": f"{terms.bound:f}",
        "confidence": f"{terms.confidence:f}",
        "keep_s": terms.keep.total_seconds(),
        "audits": f"{terms.audits:f}",
        "allow": sorted(terms.allow),
        "group": group,
        "tags": list(terms.tags),
    }


def terms_of(document: Mapping[str, Any]) -> Terms:
    """The terms that a document has; what it leaves out is as usual. Raises ValueError where it is none."""
    return Terms(
        mode=_mode(document.get("mode", _USUAL.mode)),
        bound=_share(document, "bound", _USUAL.bound),
        confidence=_share(document, "confidence", _USUAL.confidence),
        keep=_length(document),
        audits=_share(document, "audits", _USUAL.audits),
        allow=frozenset(_names(document, "allow")),
        tags=tuple(_names(document, "tags")),
    )


def group_of(policy: Mapping[str, Any] | None) -> str | None:
    """With whom a policy lets answers be shared; None: with nobody, which is also so where there is no policy."""
    group = None if policy is None else policy.get("group")
    return group if isinstance(group, str) and group else None


def together(code: Terms, policy: Mapping[str, Any] | None) -> Terms:
    """What holds where the code has these terms and a decision that document: of each the more careful.

    Without a document the code's terms hold. One that cannot be read, of a later engine perhaps, allows nothing.
    """
    if policy is None:
        return code
    try:
        theirs = terms_of(policy)
    except ValueError:
        return replace(code, mode=Mode.OFF)
    return Terms(
        mode=min(code.mode, theirs.mode, key=lambda mode: mode.rank),
        bound=min(code.bound, theirs.bound),
        confidence=max(code.confidence, theirs.confidence),
        keep=min(code.keep, theirs.keep),
        audits=max(code.audits, theirs.audits),
        allow=code.allow & theirs.allow,
        tags=tuple(dict.fromkeys((*theirs.tags, *code.tags))),
    )


def _mode(value: Any) -> Mode:
    try:
        return Mode(value)
    except ValueError:
        raise ValueError(f"mode: {value!r} is none of: {', '.join(Mode)}") from None


def _share(document: Mapping[str, Any], name: str, usual: Decimal) -> Decimal:
    value = document.get(name)
    if value is None:
        return usual
    try:
        share = Decimal(str(value))
    except InvalidOperation:
        share = Decimal("NaN")
    # Nothing is ever certain: a confidence of 1 would never be reached, nor a bound of 0 be kept.
    most = Decimal("0.9999") if name == "confidence" else Decimal(1)
    if not share.is_finite() or not 0 <= share <= most or (name == "bound" and not share):
        raise ValueError(f"{name}: {value!r} is no share of that; write a decimal up to {most}")
    return share


def _length(document: Mapping[str, Any]) -> timedelta:
    value = document.get("keep_s")
    if value is None:
        return _USUAL.keep
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        raise ValueError(f"keep_s: {value!r} is no length of time; write seconds")
    return timedelta(seconds=value) if value < _LONGEST_S else timedelta.max


def _names(document: Mapping[str, Any], name: str) -> list[str]:
    value = document.get(name)
    if value is None:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{name}: this is no list of names")
    return list(value)
