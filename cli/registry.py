"""`switchgear registry`, `plan` and `revenue`: who owns what, what is planned and earned, to and from files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from analytics.registry import IMPORTED, Registry, document_of, parse
from analytics.registry.changes import Change, changes, merged
from analytics.registry.lines import KINDS, written
from analytics.registry.sheets import TEMPLATE, Sheet, SheetError, read_sheets, text_of
from analytics.registry.timeline import zone_named

from .answers import key_refused, reason, stranger
from .client import connect
from .console import fail, misuse, note, plain, say
from .tables import table

__all__ = ["Service", "export", "import_", "template"]

_WITHIN_S = 60.0
_MOST_BYTES = 64 * 1024 * 1024
_SOURCED = ("workloads", "plans")


@dataclass(frozen=True, slots=True)
class Service:
    """The collector at `url`, as `verb` asks it."""

    verb: str
    url: str
    api_key: str | None


class _NoAnswerError(Exception):
    """The collector did not do it; `code` is the exit code, and what there is to say has been said."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


def import_(
    service: Service,
    files: Sequence[Path],
    kinds: Sequence[str],
    *,
    whole: bool,
    zone: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Show what the files change of what was imported before, and unless `dry_run` store it; the exit code."""
    try:
        sheet = _read(files, kinds)
        if zone is not None:
            zone_named(zone)
    except SheetError as unfit:
        for line in str(unfit).splitlines():
            note(plain(line))
        return misuse(f"{service.verb}: nothing was taken: every line must be right")
    except ValueError as unfit:
        return misuse(f"{service.verb}: {plain(str(unfit))}")
    except OSError as problem:
        return misuse(f"{service.verb}: cannot read {plain(str(problem.filename))}: {problem.strerror}")
    try:
        with _asking(service) as client:
            answer = client.get("/v1/registry", params={"source": IMPORTED})
            before = parse(_found(service, answer))
            after = merged(before, sheet.lines, zone=zone, whole=whole)
            found = list(changes(before, after))
            if not dry_run and (found or after.zone != before.zone):
                # Whoever imports at the same moment is not undone by it.
                unchanged = {"If-Match": answer.headers["ETag"]}
                _found(service, client.put("/v1/registry", json=document_of(after), headers=unchanged))
    except _NoAnswerError as problem:
        return problem.code
    _show(service, before, after, found, sheet, dry_run=dry_run, as_json=as_json)
    return 0


def export(service: Service, kind: str, *, out: Path | None, as_json: bool) -> int:
    """Write the lines of one kind as CSV, or as JSON; the exit code."""
    try:
        with _asking(service) as client:
            lines: list[dict[str, Any]] = _found(service, client.get("/v1/registry"))[kind]
    except _NoAnswerError as problem:
        return problem.code
    columns = (*KINDS[kind].fields, *(["source"] if kind in _SOURCED else []))
    return _put(service, out, json.dumps(lines, ensure_ascii=False) if as_json else text_of(columns, lines))


def template(service: Service, *, out: Path | None, as_json: bool) -> int:
    """Write a line for each workload that nobody answers for, to fill in; the exit code."""
    try:
        with _asking(service) as client:
            answer = _found(service, client.get("/v1/reports/unowned"))
    except _NoAnswerError as problem:
        return problem.code
    names = [
        "from" if name == "starts_on" else "to" if name == "ends_on" else name for name in answer["columns"]
    ]
    lines = [{**dict(zip(names, row, strict=True)), "owner": None} for row in answer["rows"]]
    return _put(service, out, json.dumps(lines, ensure_ascii=False) if as_json else text_of(TEMPLATE, lines))


def _read(files: Sequence[Path], kinds: Sequence[str]) -> Sheet:
    contents = {}
    for path in files:
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise SheetError(f"{path}: has more than {_MOST_BYTES // 1024**2} MiB; write several files")
        contents[str(path)] = path.read_bytes()
    return read_sheets(contents, [KINDS[name] for name in kinds])


def _put(service: Service, out: Path | None, text: str) -> int:
    if out is None:
        say(text.rstrip("\n"))
        return 0
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as problem:
        return fail(
            f"{service.verb}: cannot write {plain(str(out))}: {problem.strerror}; name another with --out"
        )
    note(f"{service.verb}: wrote {plain(str(out))}")
    return 0


@contextmanager
def _asking(service: Service) -> Iterator[httpx.Client]:
    """A client of the service. What goes wrong is said, and raised as _NoAnswerError."""
    verb, url = service.verb, service.url
    try:
        with connect(url, service.api_key, timeout_s=_WITHIN_S) as client:
            yield client
            return
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        code = fail(f"{verb}: no collector answers at {url} ({problem}); start one with: switchgear up")
    except UnicodeEncodeError:
        code = misuse(f"{verb}: SWITCHGEAR_API_KEY holds a character that no key has")
    except (ValueError, KeyError):
        code = fail(f"{verb}: {stranger(url)}")
    raise _NoAnswerError(code)


def _found(service: Service, answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise _NoAnswerError(fail(f"{service.verb}: {key_refused(answer)}"))
    if answer.is_client_error:
        raise _NoAnswerError(misuse(f"{service.verb}: {reason(answer)}"))
    if not answer.is_success:
        raise _NoAnswerError(fail(f"{service.verb}: {reason(answer)}; nothing was changed"))
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError("no document")  # noqa: TRY004 - as whatever else is none
    return found


def _show(
    service: Service,
    before: Registry,
    after: Registry,
    found: Sequence[Change],
    sheet: Sheet,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    lines = [_told(change) for change in found]
    if as_json:
        document = {
            "written": not dry_run,
            "zone": after.zone,
            "changes": lines,
            "left_out": {"unfilled": sheet.unfilled, "of_policies": sheet.of_policies},
        }
        say(json.dumps(document, ensure_ascii=False))
        return
    for name, kind in KINDS.items():
        of_kind = [change for change in found if change.kind is kind]
        if of_kind:
            say(f"{name.replace('_', ' ')}:")
            table(
                ["change", *kind.fields, "before"], [_row(change) for change in of_kind], numbers=["amount"]
            )
    counts = {
        what: sum(change.what == what for change in found) for what in dict.fromkeys(c.what for c in found)
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing changes"
    if after.zone != before.zone:
        said += f"; days are of {after.zone} now, and were of {before.zone}"
    if dry_run:
        said += "; nothing is written: leave out --dry-run for that"
    say(said[0].upper() + said[1:])
    if sheet.unfilled:
        note(f"{service.verb}: lines left out that name neither owner nor cost centre: {sheet.unfilled}")
    if sheet.of_policies:
        note(
            f"{service.verb}: lines left to the policy file (column source): {sheet.of_policies}; "
            "empty that cell to take one over"
        )


def _told(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind.name,
        "what": change.what,
        "was": None if change.was is None else written(change.kind, change.was),
        "now": None if change.now is None else written(change.kind, change.now),
    }


def _row(change: Change) -> list[object]:
    told = _told(change)
    line: Mapping[str, str | None] = told["now"] or told["was"]
    was: Mapping[str, str | None] = told["was"] if told["now"] and told["was"] else {}
    differs = [
        f"{name} {was.get(name) or '-'}"
        for name in change.kind.fields
        if was and was.get(name) != line.get(name) and not (change.what == "moved" and name in ("from", "to"))
    ]
    return [change.what, *(line.get(name) for name in change.kind.fields), ", ".join(differs)]
