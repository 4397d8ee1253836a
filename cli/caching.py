"""`switchgear cache`: how the answer cache stands, an end to what it keeps, and labels for its judge."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .asking import Caches, NoAnswerError, said
from .console import FAILED, fail, misuse, note, plain, say
from .tables import table

if TYPE_CHECKING:
    from switchgear.cache.cache import LocalCache

__all__ = ["forget", "label", "status"]

_NUMBERS = ("requests", "served", "labels", "wrong of what is served for its meaning")
# As many as the service takes at once.
_PAIRS = 1000
_MOST_ERRORS = 20


class _Pair(NamedTuple):
    """Two answers of a workload, and whether a person says that they are the same."""

    workload: str
    kept: str
    fresh: str
    same: bool


@said
def status(
    cache: str, api_key: str | None, tenant: str | None, workload: str | None, *, as_json: bool
) -> int:
    """Print how each workload stands; the exit code."""
    if _is_service(cache):
        within = {"tenant": tenant, "workload": workload}
        asked = {name: value for name, value in within.items() if value is not None}
        found = Caches("cache status", cache, api_key).get("/v1/cache", asked)
    else:
        found = _standings("status", cache, tenant, workload)
    if as_json:
        say(json.dumps(found, ensure_ascii=False, indent=2))
        return 0
    if not found["workloads"]:
        say("nothing was asked yet")
        return 0
    table(
        ["tenant", "workload", *_NUMBERS[:2], "wordings", *_NUMBERS[2:], "state"],
        (line for each in found["workloads"] for line in _lines(each)),
        numbers=_NUMBERS,
    )
    return 0


@said
def forget(cache: str, api_key: str | None, what: Mapping[str, Any], *, as_json: bool) -> int:
    """End what is kept of what is named; the exit code."""
    named = {name: value for name, value in what.items() if value is not None}
    if (wrong := _unclear(set(named))) is not None:
        return misuse(f"cache forget: {wrong}")
    if _is_service(cache):
        count = Caches("cache forget", cache, api_key).write("/v1/cache:forget", named)["forgotten"]
    else:
        from policies.caching.forgetting import Forgetting, forgotten

        with _opened("forget", cache) as kept:
            count = forgotten(kept, Forgetting(**named))
    say(
        json.dumps({"forgotten": count})
        if as_json
        else f"{count} answer{'' if count == 1 else 's'} forgotten"
    )
    return 0


@said
def label(
    file: Path,
    *,
    tenant: str | None,
    cache: str,
    api_key: str | None,
    as_json: bool,
) -> int:
    """Hand the pairs of `file` to the judge of each workload in it, and print how it did; the exit code."""
    if _is_service(cache) and tenant is None:
        return misuse("cache label: say whose workloads they are: --tenant")
    try:
        pairs, errors = _read(file)
    except OSError as problem:
        return misuse(f"cache label: {file}: cannot be read: {problem.strerror}")
    for error in errors[:_MOST_ERRORS]:
        note(error)
    if errors:
        return FAILED
    if not pairs:
        return misuse(f"cache label: {file} holds no pairs; write a line for each, as --help shows")
    if _is_service(cache):
        service = Caches("cache label", cache, api_key)
        told = {name: _labelled(service, str(tenant), name, of) for name, of in sorted(pairs.items())}
    else:
        told = _labelled_here(cache, tenant, pairs)
    if as_json:
        say(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    for workload, counts in told.items():
        say(
            f"{plain(workload)}: of {counts['pairs']} pairs the judge called {counts['false_same']} the same that are "
            f"not, {counts['false_different']} different that are not, and could not tell of {counts['undecided']}"
        )
    return 0


def _read(file: Path) -> tuple[dict[str, list[_Pair]], list[str]]:
    """The pairs of a file by workload, and what is wrong with its lines. Raises OSError."""
    pairs, errors = defaultdict[str, list[_Pair]](list), list[str]()
    with sys.stdin.buffer if str(file) == "-" else file.open("rb") as lines:
        for found in _pairs(lines, str(file)):
            if isinstance(found, _Pair):
                pairs[found.workload].append(found)
            else:
                errors.append(found)
    return pairs, errors


def _labelled(service: Caches, tenant: str, workload: str, pairs: list[_Pair]) -> dict[str, int]:
    """What the judge did, in lots that the service takes. Raises NoAnswerError."""
    counts: dict[str, int] = defaultdict(int)
    for begin in range(0, len(pairs), _PAIRS):
        lot = [
            {"kept": each.kept, "fresh": each.fresh, "same": each.same}
            for each in pairs[begin : begin + _PAIRS]
        ]
        body = {"tenant": tenant, "workload": workload, "pairs": lot}
        for name, count in service.write("/v1/cache:label", body).items():
            counts[name] += count
    return dict(counts)


def _labelled_here(
    folder: str, tenant: str | None, pairs: Mapping[str, list[_Pair]]
) -> dict[str, dict[str, int]]:
    """The same with the judge of a folder. Raises NoAnswerError."""
    from policies.caching.judging import counted
    from policies.caching.names import name_of

    with _opened("label", folder) as kept:
        return {
            workload: counted(
                [(kept.label_judge(name, each.kept, each.fresh, same=each.same), each.same) for each in of]
            )
            for workload, of in sorted(pairs.items())
            for name in [workload if tenant is None else name_of(tenant, workload, None)]
        }


def _pairs(lines: Iterator[bytes] | Any, name: str) -> Iterator[_Pair | str]:
    """Each line's pair, or what is wrong with it. Nothing of the answers is repeated."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            yield f"{name}:{number}: no JSON; write an object a line"
            continue
        if not isinstance(found, dict):
            yield f"{name}:{number}: no object; write one a line"
            continue
        wrong = [
            key
            for key in ("workload", "kept", "fresh")
            if not (isinstance(found.get(key), str) and found[key])
        ]
        if not isinstance(found.get("same"), bool):
            wrong.append("same")
        if wrong:
            kind = "true or false" if wrong[0] == "same" else "a text"
            yield f"{name}:{number}: {wrong[0]}: is missing or none; write {kind}"
            continue
        yield _Pair(found["workload"], found["kept"], found["fresh"], found["same"])


def _lines(standing: Mapping[str, Any]) -> Iterator[list[object]]:
    """A workload's lines: one for each certificate, the first with what is of all; one where there is none."""
    whole = [
        ", ".join(standing["tenants"]) or None,
        standing["workload"],
        standing["requests"],
        _hits(standing),
    ]
    if not standing["certificates"]:
        yield [*whole, None, None, None, standing["says"]]
    for each in standing["certificates"]:
        yield [*whole, each["wordings"], each["labels"], _wrong(each), each["says"]]
        whole = [""] * len(whole)


def _hits(standing: Mapping[str, Any]) -> str:
    rate = standing["hit_rate"]
    return "-" if rate is None else f"{100 * rate:.1f} %"


def _wrong(certificate: Mapping[str, Any]) -> str:
    low, high, wrong = (certificate[name] for name in ("wrong_low", "wrong_high", "wrong"))
    return "-" if wrong is None else f"{100 * wrong:.2f} % ({100 * low:.2f} to {100 * high:.2f})"


def _unclear(named: set[str]) -> str | None:
    """Why what is named is nothing that can be forgotten; None where it is."""
    one = named - {"tenant"}
    if len(one) > 1:
        return f"name one of {' and '.join(f'--{name}' for name in sorted(one))}"
    if not named or named == {"workload"}:
        return "say whose: --tenant, with --workload or --tag or alone; or --tag of every tenant; or --entry"
    return "an entry has its tenant; leave --tenant out" if named == {"tenant", "entry"} else None


def _is_service(cache: str) -> bool:
    """Whether a URL is named; else it is a folder that processes use by themselves."""
    return "://" in cache


def _standings(verb: str, folder: str, tenant: str | None, workload: str | None) -> dict[str, Any]:
    """How the workloads of a folder stand. Raises NoAnswerError."""
    from policies.caching.standing import Standings, standings

    with _opened(verb, folder) as kept:
        found = standings(kept.states())
    meant = [each for each in found if tenant in (None, *each.tenants) and workload in (None, each.workload)]
    told: dict[str, Any] = Standings(at=datetime.now(UTC), policies=None, workloads=meant).model_dump(
        mode="json"
    )
    return told


@contextmanager
def _opened(verb: str, folder: str) -> Iterator[LocalCache]:
    """The cache of a folder. Raises NoAnswerError where there is none, or it cannot be used."""
    from switchgear.cache.cache import open_cache
    from switchgear.errors import ConfigError

    # What is looked at is not made.
    if not (Path(folder) / "cache.db").is_file():
        raise NoAnswerError(
            misuse(
                f"cache {verb}: {plain(folder)!r} is neither a URL nor a folder of a cache; name one with --cache"
            )
        )
    try:
        kept = open_cache(folder)
    except ConfigError as problem:
        raise NoAnswerError(fail(f"cache {verb}: {problem}")) from None
    try:
        yield kept
    finally:
        kept.close()
