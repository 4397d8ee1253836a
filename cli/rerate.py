"""`switchgear rerate`: what booked calls would cost by the price book that is loaded, shown and then written."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from .answers import key_refused, reason, stranger
from .client import connect
from .console import FAILED, fail, misuse, note, plain, say
from .durations import instant

__all__ = ["Question", "run"]

# Some ten million calls.
_WITHIN_S = 1800.0
_PROGRESS_EVERY_S = 2.0
_WIDEST = 100_000
_COUNTS = ("calls", "changed", "newly_priced", "no_longer_priced", "unpriced")
_AMOUNTS = ("old", "new", "delta")


@dataclass(frozen=True, slots=True)
class Question:
    """Which calls, and how they are shown."""

    start: str
    end: str
    book: str | None
    by: Sequence[str]
    tenant: str | None = None
    provider: str | None = None
    model: str | None = None

    def document(self) -> dict[str, Any]:
        """As the collector is asked. Raises ValueError for a time that is none."""
        named = {name: getattr(self, name) for name in ("book", "tenant", "provider", "model")}
        return {
            "from": instant(self.start).isoformat(),
            "to": instant(self.end).isoformat(),
            "by": list(self.by),
            **{name: value for name, value in named.items() if value is not None},
        }


class _NoAnswerError(Exception):
    """The collector did not do it; `code` is the exit code, and what there is to say has been said."""

    def __init__(self, code: int) -> None:
        self.code = code


def run(
    question: Question,
    *,
    write: bool,
    reason: str | None,
    collector: str,
    api_key: str | None,
    as_json: bool,
) -> int:
    """Show the differences and, with `write`, write just these; the exit code."""
    if write != (reason is not None):
        return misuse("rerate: to write takes both: --write --reason 'why'")
    try:
        asked = question.document()
    except ValueError as problem:
        return misuse(f"rerate: {problem}")
    try:
        with connect(collector, api_key, timeout_s=_WITHIN_S) as client:
            return _rerate(client, asked, reason, as_json=as_json)
    except _NoAnswerError as problem:
        return problem.code
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        return fail(f"rerate: no collector answers at {collector} ({problem}); start one with: switchgear up")
    except UnicodeEncodeError:
        return misuse("rerate: SWITCHGEAR_API_KEY holds a character that no key has")
    except ValueError:
        return fail(f"rerate: {stranger(collector)}")


def _rerate(client: httpx.Client, asked: Mapping[str, Any], reason: str | None, *, as_json: bool) -> int:
    found = _ask(client, asked, as_json=as_json)
    _show(found, as_json=as_json)
    changed = sum(line["changed"] for line in found["totals"])
    if reason is None:
        if changed and not as_json:
            say("Nothing is written. To write just this: the same with --write --reason 'why'")
        return FAILED if changed or any(line["no_longer_priced"] for line in found["totals"]) else 0
    if not changed:
        if not as_json:
            say("There is nothing to write.")
        return 0
    order = {**asked, "write": True, "reason": reason, "shown": found["shown"]}
    written = _ask(client, order, as_json=as_json)
    if as_json:
        say(json.dumps(written, ensure_ascii=False))
    else:
        _tell(written)
    return 0


def _ask(client: httpx.Client, asked: Mapping[str, Any], *, as_json: bool) -> dict[str, Any]:
    with _progress(client, as_json=as_json):
        answer = client.post("/v1/rerate", json=asked)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise _NoAnswerError(fail(f"rerate: {key_refused(answer)}"))
    if answer.is_client_error and answer.status_code != httpx.codes.CONFLICT:
        raise _NoAnswerError(misuse(f"rerate: {reason(answer)}"))
    if not answer.is_success:
        raise _NoAnswerError(fail(f"rerate: {reason(answer)}"))
    found: dict[str, Any] = answer.json()
    return found


@contextmanager
def _progress(client: httpx.Client, *, as_json: bool) -> Iterator[None]:
    """Say on stderr now and then how far it is."""
    done = threading.Event()

    def follow() -> None:
        while not done.wait(_PROGRESS_EVERY_S):
            # What cannot be told now is told later, or by the answer itself.
            with suppress(httpx.HTTPError, ValueError, AttributeError):
                found = client.get("/v1/rerate").json().get("under_way")
                if found:
                    _tell_progress(found, as_json=as_json)

    watching = threading.Thread(target=follow, name="rerate-progress", daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()


def _tell_progress(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stderr.write(json.dumps(found) + "\n")
        sys.stderr.flush()
    else:
        note(f"rerate: {found['calls']:,} of {found['of']:,} calls")


def _show(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in (*found["by"], "currency"):
        table.add_column(name)
    for name in (*_COUNTS, *_AMOUNTS):
        table.add_column(name.replace("_", " "), justify="right")
    for line in found["lines"]:
        table.add_row(*(Text(_text(line[name])) for name in (*found["by"], "currency")), *_numbers(line))
    for total in found["totals"]:
        named = ["total", *[""] * (len(found["by"]) - 1), _text(total["currency"])]
        table.add_row(*map(Text, named), *_numbers(total), style="bold")
    # As wide as it is: an amount that was cut to fit would be another amount.
    Console(width=_WIDEST).print(table)
    calls = sum(line["calls"] for line in found["totals"])
    say(f"{calls:,} calls by {plain(found['book'])}, looked at in {found['seconds']} s")
    lost = sum(line["no_longer_priced"] for line in found["totals"])
    if lost:
        note(f"rerate: {lost:,} calls have no price in this book: they keep what they have")


def _numbers(line: Mapping[str, Any]) -> list[str]:
    return [*(f"{line[name]:,}" for name in _COUNTS), *(_text(line[name]) for name in _AMOUNTS)]


def _tell(written: Mapping[str, Any]) -> None:
    rerate = written["rerate"]
    deltas = ", ".join(
        f"{line['delta']} {line['currency']}" for line in written["totals"] if line["currency"] is not None
    )
    say(f"Written as {rerate['id']}: {rerate['adjustments']:,} adjustments, {deltas}")
    if rerate["do_not_apply"]:
        note(f"rerate: {rerate['do_not_apply']:,} calls changed meanwhile: their adjustments do not apply")


def _text(value: Any) -> str:
    return "-" if value is None else plain(str(value))
