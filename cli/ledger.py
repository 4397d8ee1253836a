"""`switchgear ledger`: months that are closed, what corrects them, what is booked by hand, and whether it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from .asking import said
from .collectors import Asked
from .console import FAILED, fail, misuse, note, plain, say
from .tables import table

__all__ = [
    "asked",
    "check",
    "close",
    "correct",
    "decide",
    "drafts",
    "entries",
    "journal",
    "prepare",
    "statement",
    "status",
    "verify",
    "verify_folder",
]

_LEDGER = "/v1/ledger"
_PAGE = 1_000
_NUMBERS = ("calls", "amount", "entries", "lines", "seq")


def asked(verb: str, collector: str, api_key: str | None, *, as_json: bool) -> Asked:
    """The collector, which tells how far it is with the ledger."""
    return Asked(f"ledger {verb}", collector, api_key, as_json, f"{_LEDGER}/progress")


@said
def status(ask: Asked) -> int:
    """Print which periods are closed, which is open, and the head to note down."""
    found, head = ask.get(f"{_LEDGER}/periods"), ask.get(f"{_LEDGER}/head")
    if ask.as_json:
        say(json.dumps({**found, "head": head}))
        return 0
    rows = [
        (
            each["period"],
            _amounts(each["totals"]),
            each["terms"]["entries"],
            each["closed_at"],
            each["closed_by"],
        )
        for each in found["closed"]
    ]
    table(("period", "charged", "entries", "closed at", "by"), rows, numbers=("charged", "entries"))
    say(
        f"Open: {found['open']}. To see what speaks against its close: switchgear ledger close {found['open']} --check"
    )
    say(f"Head: {head['anchor']}")
    return 0


@said
def check(ask: Asked, period: str) -> int:
    """Print what speaks against closing a period; exit 1 where something does."""
    found = ask.get(f"{_LEDGER}/periods/{period}/check")
    left = [each for each in found["blockers"] if each["weight"] != "warning"]
    if ask.as_json:
        say(json.dumps(found))
    elif found["closed"]:
        _tell_closed({**found["closed"], "already": True})
    else:
        say(f"{period}: {found['lines']:,} lines, {_amounts(found['totals'])}")
        for each in found["blockers"]:
            say(f"  {_MARKS[each['weight']]} {each['code']}: {plain(each['text'])}")
        say(
            f"To close it: switchgear ledger close {period}{_accepting(left)}"
            if _may(left)
            else "It cannot be closed now."
        )
    return FAILED if left else 0


_MARKS = {"hard": "[blocks]", "acceptable": "[blocks, may be accepted]", "warning": "[note]"}


def _may(left: Sequence[Mapping[str, Any]]) -> bool:
    return all(each["weight"] != "hard" for each in left)


def _accepting(left: Sequence[Mapping[str, Any]]) -> str:
    codes = "".join(f" --accept {code}" for code in dict.fromkeys(each["code"] for each in left))
    return f"{codes} --reason 'why'" if codes else ""


@said
def close(ask: Asked, period: str, *, accept: Sequence[str], reason: str | None, by: str | None) -> int:
    """Close a period, or say why it stays open; the exit code."""
    if bool(accept) != (reason is not None):
        return misuse("ledger close: to accept something takes both: --accept CODE --reason 'why'")
    body = {"by": by, "accept": [{"code": code, "reason": reason} for code in accept]}
    found = ask.write(f"{_LEDGER}/periods/{period}/close", body)
    if ask.as_json:
        say(json.dumps(found))
    else:
        _tell_closed(found)
    return 0


def _tell_closed(found: Mapping[str, Any]) -> None:
    how = "is closed already, since" if found["already"] else "is closed:"
    say(f"{found['period']} {how} {found['closed_at']}, by {plain(found['closed_by'])}")
    say(f"  {_amounts(found['totals'])} in {found['terms']['entries']:,} entries")
    say(f"  root hash {found['root_hash']}")
    for each in found["terms"]["accepted"]:
        say(f"  accepted: {each['code']}, {plain(each['reason'])}")


@said
def correct(ask: Asked, *, write: bool, by: str | None) -> int:
    """Show what closed periods cost now beyond what is posted, and with `write` post it; exit 1 where some is left."""
    path = f"{_LEDGER}/corrections"
    found = ask.write(path, {"by": by}) if write else ask.get(path)
    if ask.as_json:
        say(json.dumps(found))
    elif found["period"] is None:
        say("No period is closed yet, so there is nothing to correct.")
    elif not found["lines"]:
        say("Closed periods cost what is posted: there is nothing to correct.")
    else:
        _tell_lines(found["shown"])
        more = found["lines"] - len(found["shown"])
        say(
            f"{found['lines']:,} lines, {_amounts(found['totals'])}"
            + (f" ({more:,} not shown)" if more else "")
        )
        said = (
            f"Posted into {found['period']}."
            if write
            else f"Nothing is posted. To post it into {found['period']}: --write"
        )
        say(said)
    return FAILED if found["lines"] and not write else 0


def _tell_lines(lines: Sequence[Mapping[str, Any]]) -> None:
    names = (
        "day",
        "kind",
        "cost_centre",
        "tenant",
        "workload",
        "provider",
        "model",
        "state",
        "currency",
        "calls",
        "amount",
    )
    table(names, ([line[name] for name in names] for line in lines), numbers=_NUMBERS)


@said
def verify(ask: Asked, anchors: Sequence[str]) -> int:
    """Have a running collector look at all of its ledger; exit 1 where something is not as it was."""
    return _tell_verified(ask.get(f"{_LEDGER}/verify", {"anchor": list(anchors)}), as_json=ask.as_json)


def verify_folder(data: Path, anchors: Sequence[str], *, as_json: bool) -> int:
    """Look at the ledger in the folder of a collector that does not run; the exit code."""
    from dataclasses import asdict

    import duckdb

    from analytics.ledger.anchors import parsed
    from analytics.ledger.errors import LedgerError
    from analytics.ledger.verify import verify as look
    from collector.facts.store import FILE_NAME

    path = data / FILE_NAME
    if not path.is_file():
        return misuse(f"ledger verify: {path} is not there; name the folder of a collector with --data")
    try:
        noted = [parsed(each) for each in anchors]
        with duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"}) as con:
            con.execute("SET TimeZone = 'UTC'")
            con.begin()
            found = look(con, data, noted)
    except LedgerError as problem:
        return misuse(f"ledger verify: {problem}")
    except duckdb.Error as problem:
        text = str(problem).splitlines()[0]
        if "lock" in text:
            return fail(f"ledger verify: {path} is in use; ask its collector instead, without --data")
        return fail(f"ledger verify: {path} cannot be read: {text}; restore a backup (switchgear restore)")
    return _tell_verified(asdict(found), as_json=as_json)


def _tell_verified(found: Mapping[str, Any], *, as_json: bool) -> int:
    findings = found["findings"]
    if as_json:
        say(json.dumps(found))
    else:
        for each in findings:
            say(f"{each['what']}: {plain(each['text'])}")
        looked = (
            f"{found['entries']:,} entries, {found['periods']} closed periods, {found['files']} files and "
            f"{found['anchors']} anchors"
        )
        say(
            f"{len(findings)} findings in {looked}"
            if findings
            else f"Nothing was changed: {looked} fit together."
        )
        say(f"Head: {found['head']['seq']}:{found['head']['hash']}")
    return FAILED if findings else 0


@said
def entries(ask: Asked, period: str | None) -> int:
    """Print entries by their numbers: as a table, or as JSON lines."""
    after: int | None = 0
    while after is not None:
        params = {"after": after, "limit": _PAGE, **({"period": period} if period else {})}
        found = ask.get(f"{_LEDGER}/entries", params)
        after = found["next"]
        if ask.as_json:
            for each in found["entries"]:
                say(json.dumps(each))
        else:
            names = (
                "seq",
                "period",
                "day",
                "kind",
                "cost_centre",
                "tenant",
                "model",
                "currency",
                "calls",
                "amount",
            )
            table(names, ([each[name] for name in names] for each in found["entries"]), numbers=_NUMBERS)
    return 0


@said
def journal(ask: Asked, period: str, out: Path | None) -> int:
    """Print or write the balanced lines of a closed period."""
    text = ask.text(f"{_LEDGER}/journal", {"period": period})
    if out is None:
        say(text.rstrip("\n"))
        return 0
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as problem:
        return fail(f"ledger journal: cannot write {out}: {problem.strerror}")
    note(f"{out}: {len(text.splitlines()) - 1} lines")
    return 0


@said
def statement(ask: Asked, period: str, *, cost_centre: str | None, tenant: str | None) -> int:
    """Print what a cost centre or a tenant is charged in a period, line by line."""
    if (cost_centre is None) == (tenant is None):
        return misuse("ledger statement: name one: --cost-centre NAME or --tenant NAME")
    by, name = ("tenant", tenant) if tenant is not None else ("cost_centre", cost_centre)
    params = {"period": period, "by": by, "name": name or ""}
    found = ask.get("/v1/reports/statement", params)
    if ask.as_json:
        say(json.dumps(found))
    else:
        table(found["columns"], found["rows"], numbers=_NUMBERS)
    return 0


@said
def prepare(ask: Asked, kind: str, amount: str, fields: Mapping[str, str | None]) -> int:
    """Prepare a credit or an adjustment for somebody else to approve; the exit code."""
    try:
        value = Decimal(amount)
        day = date.fromisoformat(fields["day"] or "")
    except InvalidOperation:
        return misuse(f"ledger {kind}: {amount!r} is no amount; write one such as 100.00")
    except ValueError:
        return misuse(f"ledger {kind}: --day {fields['day']!r} is no day; write one such as 2026-10-31")
    # What a credit takes off is given without its sign.
    value = -abs(value) if kind == "credit" else value
    body = {**fields, "kind": kind, "amount": f"{value:f}", "day": day.isoformat()}
    _tell_draft(
        ask,
        ask.write(f"{_LEDGER}/drafts", {name: each for name, each in body.items() if each is not None}),
    )
    return 0


@said
def decide(ask: Asked, draft: str, *, by: str | None, note_: str | None = None) -> int:
    """Approve a draft, or with a note refuse it; the exit code."""
    verb, more = ("approve", {}) if note_ is None else ("refuse", {"note": note_})
    _tell_draft(ask, ask.write(f"{_LEDGER}/drafts/{draft}/{verb}", {"by": by, **more}))
    return 0


@said
def drafts(ask: Asked, state: str | None) -> int:
    """Print credits and adjustments by hand, and what became of them."""
    found = ask.get(f"{_LEDGER}/drafts", {"state": state} if state else {})["drafts"]
    if ask.as_json:
        say(json.dumps(found))
        return 0
    rows = [
        (each["id"], each["state"], *_draft_words(each["draft"]), each["prepared_by"], each["decided_by"])
        for each in found
    ]
    names = (
        "id",
        "state",
        "kind",
        "amount",
        "currency",
        "day",
        "cost centre",
        "reason",
        "prepared by",
        "decided by",
    )
    table(names, rows, numbers=_NUMBERS)
    return 0


def _draft_words(draft: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(draft[name] for name in ("kind", "amount", "currency", "day", "cost_centre", "reason"))


def _tell_draft(ask: Asked, found: Mapping[str, Any]) -> None:
    if ask.as_json:
        say(json.dumps(found))
        return
    kind, amount, currency, day, centre, _ = _draft_words(found["draft"])
    says = f"{found['id']}: {kind} of {amount} {currency} for {plain(centre)}, {day}, {found['state']}"
    if found["state"] == "approved":
        says += f" as entry {found['entry']}"
    say(says)
    if found["state"] == "waiting":
        say(f"Somebody else approves it: switchgear ledger approve {found['id']}")


def _amounts(totals: Sequence[Mapping[str, Any]]) -> str:
    known = [f"{each['amount']} {each['currency']}" for each in totals if each["currency"] is not None]
    return ", ".join(known) or "no known cost"
