"""Identity: which task it is, as values that can leave the process, and as one line of text.

The text is `sg1.` and a JSON list in base64url: printable ASCII without spaces, fit for a header, an environment
variable, a message or a column. It holds names, times and budgets, no key and no secret, and is not signed: whoever can
change it can name any task.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from .errors import ConfigError
from .money import Money
from .names import MOST_BUDGETS, budget_of, name, parsed
from .tier import Tier

__all__ = ["MOST_CHARACTERS", "Identity"]

MOST_CHARACTERS = 4096
_VERSION = "sg1."
_FIELDS = 9
_MOST_NS = 1 << 63


@dataclass(frozen=True, slots=True)
class Identity:
    """Which task it is, wherever its code runs; the fields mean what they mean in `Task`."""

    id: str
    root_id: str
    parent_id: str | None
    workload: str
    tenant: str
    tier: Tier
    user: str | None
    started_ns: int
    budgets: tuple[tuple[str, Money], ...]

    def to_text(self) -> str:
        """One line of at most 4,096 printable characters. Raises ConfigError where names and budgets are longer."""
        text = _VERSION + urlsafe_b64encode(self._json()).decode().rstrip("=")
        if len(text) > MOST_CHARACTERS:
            raise ConfigError(
                f'task "{self.workload}": its names and {len(self.budgets)} budgets come to {len(text)} characters, '
                f"and at most {MOST_CHARACTERS} can be carried; give it shorter names"
            )
        return text

    @classmethod
    def from_text(cls, text: Any, what: str) -> Identity:
        """The identity whose `to_text` this is, and of no other text. Raises ConfigError that begins with `what`."""
        found = cls._of(_listed(text, what), what)
        if found.to_text() != text:
            raise ConfigError(f"{what}: is no carried task; it says what a task says in another way")
        return found

    def _json(self) -> bytes:
        budgets = [[id_, str(limit)] for id_, limit in self.budgets]
        fields = [
            self.id,
            self.root_id,
            self.parent_id,
            self.workload,
            self.tenant,
            self.tier.value,
            self.user,
        ]
        return json.dumps(
            [*fields, self.started_ns, budgets], ensure_ascii=False, separators=(",", ":")
        ).encode()

    @classmethod
    def _of(cls, fields: list[Any], what: str) -> Identity:
        id_, root, parent, workload, tenant, tier, user, started, budgets = fields
        found = cls(
            name(f"{what}: id", id_),
            name(f"{what}: root", root),
            None if parent is None else name(f"{what}: parent", parent),
            name(f"{what}: workload", workload),
            name(f"{what}: tenant", tenant),
            parsed(f"{what}: tier", Tier.parse, tier),
            None if user is None else name(f"{what}: user", user),
            _instant(started, what),
            _budgets(budgets, what),
        )
        if (found.parent_id is None) != (found.root_id == found.id) or found.parent_id == found.id:
            raise ConfigError(f"{what}: is no carried task; its id, parent and root are no tree")
        return found


def _listed(text: Any, what: str) -> list[Any]:
    """The fields in the text, as they are."""
    if not isinstance(text, str) or not text.startswith(_VERSION):
        raise ConfigError(
            f"{what}: is no carried task; one that this version can read begins with {_VERSION}"
        )
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"{what}: {len(text)} characters; a carried task has at most {MOST_CHARACTERS}")
    coded = text.removeprefix(_VERSION)
    try:
        standard = coded.replace("-", "+").replace("_", "/") + "=" * (-len(coded) % 4)
        fields = json.loads(binascii.a2b_base64(standard, strict_mode=True))
    except (ValueError, RecursionError):
        raise ConfigError(f"{what}: is no carried task; it is cut off or was changed on its way") from None
    if not isinstance(fields, list) or len(fields) != _FIELDS:
        raise ConfigError(f"{what}: is no carried task; it has not the {_FIELDS} fields of one")
    return fields


def _instant(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value < _MOST_NS:
        raise ConfigError(f"{what}: is no carried task; its start is no time")
    return value


def _budgets(values: Any, what: str) -> tuple[tuple[str, Money], ...]:
    if not isinstance(values, list) or len(values) > MOST_BUDGETS:
        raise ConfigError(f"{what}: is no carried task; it has not a list of up to {MOST_BUDGETS} budgets")
    found = []
    for each in values:
        if not isinstance(each, list) or len(each) != 2:
            raise ConfigError(f"{what}: is no carried task; a budget is a task and an amount")
        found.append((name(f"{what}: budget's task", each[0]), parsed(f"{what}: budget", budget_of, each[1])))
    return tuple(found)
