"""How much the answer cache serves by meaning, and how often that is wrong, on streams whose truth is known.

Each run begins with nothing: the first part of a stream has the templates (of agents' steps, or popular intents) of one
half of bank `b`, the second those of the other half, which nothing was calibrated on: both parts are measured apart.
The first guess was trained on bank `a`. The judge knows the truth, but for one row, where it errs. Beside it: what
exact matching and an ideal cache serve, fixed similarities, and a bound per request.

    make bench-cache [STREAM=FILE] [PAIRS=FILE] [ARGS="--quick"]

A stream of one's own is played as it came; with the templates of one half first; and after agents' steps of bank `a`.
Exit code 1 where a bar is missed. Nothing here depends on the machine's speed.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import median

from cache_bank import bank
from cache_play import Erring, Played, Remembering, bounded, ceiling, certified, fixed
from cache_traffic import Request, agent, longtail, pairs_file, popular, stream_file

from switchgear.cache.bound.binomial import lower, upper
from switchgear.cache.embedding import mini_lm

BOUNDS = (Decimal("0.01"), Decimal("0.02"), Decimal("0.05"))
THRESHOLDS = (0.80, 0.85, 0.90, 0.95, 0.97, 0.99)
CONFIDENCE = Decimal("0.90")
WANTED_GAIN = {Decimal("0.01"): 0.25, Decimal("0.02"): 0.50}
_COUNTED = 50
"""Answers that a run serves before its share of wrong ones is one."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run: which stream, how it is drawn, and what it goes through."""

    stream: str
    seed: int
    first: int
    second: int
    bound: Decimal
    file: str | None = None
    erring: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A run's two parts."""

    job: Job
    cold: Played
    unseen: Played


def main() -> int:
    """Print every table; 0 where all bars are met."""
    options = _options()
    first, second = (3000, 4000) if options.quick else (6000, 10_000)
    seeds = range(options.seeds or (4 if options.quick else 20))
    names = _names(options)
    print(
        f"{len(seeds)} seeds; generated streams: {first:,} + {second:,} requests a run; confidence {CONFIDENCE}"
    )
    jobs = [
        Job(name, seed, first, second, bound, file)
        for name, file in names
        for seed in seeds
        for bound in BOUNDS
    ]
    if "agent" in dict(names):
        jobs += [
            Job("agent", seed, first, second, Decimal("0.02"), erring=True)
            for seed in seeds[: max(4, len(seeds) // 4)]
        ]
    with tempfile.TemporaryDirectory() as folder:
        vectors = _vectors(jobs, Path(folder))
        with ProcessPoolExecutor(options.workers, get_context("spawn"), _load, (str(vectors),)) as pool:
            done = list(_told(pool.map(_run, jobs), len(jobs)))
            beside = [] if options.no_peers else list(pool.map(_beside, names, [first] * len(names)))
    bars = _report(done, [name for name, _ in names])
    for lines in beside:
        print("\n".join(lines))
    print("\nBars")
    for what, met in bars:
        print(f"  {'met   ' if met else 'MISSED'}  {what}")
    if options.json:
        Path(options.json).write_text(
            json.dumps([_document(each) for each in done], indent=1), encoding="utf-8"
        )
    return 0 if all(met for _, met in bars) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--stream",
        type=Path,
        help="a stream of one's own: JSON lines, CSV or TSV (columns: text, truth, tenant, template)",
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        help="pairs of one's own: two texts and whether they mean the same, as a long tail",
    )
    parser.add_argument("--seeds", type=int, help="how many draws of each stream (20)")
    parser.add_argument("--quick", action="store_true", help="few and short streams: no figure to be quoted")
    parser.add_argument(
        "--no-peers", action="store_true", help="without fixed similarities and the bound per request"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--json", help="also write every run there")
    return parser.parse_args()


def _names(options: argparse.Namespace) -> list[tuple[str, str | None]]:
    """The streams asked for, with their files: those of one's own, or all that are generated."""
    own = [("stream", options.stream), ("stream after agent", options.stream), ("pairs", options.pairs)]
    given: list[tuple[str, str | None]] = [(name, str(file)) for name, file in own if file is not None]
    return given or [("agent", None), ("popular", None), ("longtail", None)]


# -- streams


def _streams(job: Job) -> tuple[list[Request], list[Request]]:
    """A run's first and second part."""
    random = Random(job.seed)
    if job.stream == "pairs":
        whole = longtail(pairs_file(Path(str(job.file))), random, job.first + job.second)
        return whole[: len(whole) // 2], whole[len(whole) // 2 :]
    if job.file is not None:
        return _own(job, random)
    source = bank("b")
    if job.stream == "longtail":
        whole = longtail(source.pairs, random, job.first + job.second)
        return whole[: len(whole) // 2], whole[len(whole) // 2 :]
    made: Callable[..., list[Request]] = agent if job.stream == "agent" else popular
    intents = source.steps if job.stream == "agent" else source.popular
    names = sorted({each.family if job.stream == "agent" else each.id for each in intents})
    random.shuffle(names)
    split = "families" if job.stream == "agent" else "intents"
    return (
        made(source, random, job.first, **{split: names[::2]}),
        made(source, random, job.second, **{split: names[1::2]}),
    )


def _own(job: Job, random: Random) -> tuple[list[Request], list[Request]]:
    """A stream from a file: after steps of bank `a`; or as it came (seed 0), or one half of its templates first."""
    whole = stream_file(Path(str(job.file)))
    if job.stream == "stream after agent":
        return agent(bank("a"), random, job.first), whole
    if job.seed == 0:
        return whole, []
    names = sorted({each.template for each in whole})
    random.shuffle(names)
    early = set(names[::2])
    return [each for each in whole if each.template in early], [
        each for each in whole if each.template not in early
    ]


# -- runs

_EMBEDDER: list[Remembering] = []


def _load(vectors: str) -> None:
    embedder = Remembering(mini_lm())
    # Of this run's own making, a moment ago.
    embedder.known = pickle.loads(Path(vectors).read_bytes())  # noqa: S301
    _EMBEDDER[:] = [embedder]


def _vectors(jobs: Sequence[Job], folder: Path) -> Path:
    """The vectors of all wordings, made once."""
    embedder = Remembering(mini_lm())
    begun, streams = time.monotonic(), {(job.stream, job.seed): job for job in jobs}
    for number, job in enumerate(streams.values(), 1):
        embedder.prepare([request for part in _streams(job) for request in part])
        print(
            f"\r  wordings made vectors: {len(embedder.known):,} ({number} of {len(streams)} streams)",
            end="",
            flush=True,
        )
    print(f" in {time.monotonic() - begun:.0f} s")
    path = folder / "vectors"
    path.write_bytes(pickle.dumps(embedder.known))
    return path


def _run(job: Job) -> Done:
    first, second = _streams(job)
    random = Random(job.seed + 1)
    judge = Erring(random, misses=0.02, alarms=0.01, sample=300) if job.erring else None
    cold, unseen = certified(
        [*first, *second],
        _EMBEDDER[0],
        job.bound,
        random,
        confidence=CONFIDENCE,
        judge=judge,
        split=len(first),
    )
    return Done(job, cold, unseen)


def _told(done: Iterator[Done], count: int) -> Iterator[Done]:
    begun = time.monotonic()
    for number, each in enumerate(done, 1):
        print(f"\r  runs: {number} of {count}, {time.monotonic() - begun:.0f} s", end="", flush=True)
        yield each
    print()


def _beside(name: tuple[str, str | None], count: int) -> list[str]:
    """What others do on one stream of this kind: its first part, of one seed."""
    job = Job(name[0], 0, min(count, 4000), 0, BOUNDS[1], name[1])
    stream = _streams(job)[0][: job.first]
    embedder = _EMBEDDER[0]
    embedder(sorted({each.text for each in stream}, key=len))
    left = ceiling(stream)
    lines = [
        f"\n{name[0]}: others, on {len(stream):,} requests of one seed (ideal {_share(left.repeatable, left.requests)},"
        f" exact {_share(left.repeated, left.requests)})",
        f"  {'policy':<34}{'served by meaning':>18}{'wrong per served':>18}{'gain':>8}",
    ]
    lines += [_line(f"fixed similarity {each:.2f}", fixed(stream, embedder, each)) for each in THRESHOLDS]
    for threshold in THRESHOLDS[::2]:
        played = fixed(stream, embedder, threshold, partitioned=True)
        lines.append(_line(f"fixed {threshold:.2f} within equal values", played))
    for bound in BOUNDS:
        played = bounded(stream, embedder, float(bound), Random(1))
        lines.append(_line(f"{100 * bound:.0f} % per request", played))
    return lines


def _line(what: str, played: Played) -> str:
    wrong = f"{100 * played.wrong_share:.1f} %" if played.semantic else "-"
    return f"  {what:<34}{_share(played.semantic, played.requests):>18}{wrong:>18}{100 * played.gain:>7.0f}%"


# -- what is told


def _report(done: Sequence[Done], names: Sequence[str]) -> list[tuple[str, bool]]:
    bars: list[tuple[str, bool]] = []
    for name in names:
        print(f"\n{name}")
        print(
            f"  {'part':<8}{'bound':>6}{'ideal':>8}{'exact':>8}{'by meaning':>12}{'gain (least)':>15}"
            f"{'wrong per served [95 %]':>28}{'runs above':>12}{'first hit':>11}{'labels':>8}"
        )
        for part in ("cold", "unseen"):
            for bound in BOUNDS:
                runs = [
                    getattr(each, part)
                    for each in done
                    if each.job.stream == name and each.job.bound == bound and not each.job.erring
                ]
                bars += _row(name, part, bound, [each for each in runs if each.requests])
        erring = [each.unseen for each in done if each.job.stream == name and each.job.erring]
        if erring:
            print(
                "  with a judge that misses 2 % of wrong answers and cries wolf in 1 %, known from 300 labels of each:"
            )
            bars += _row(f"{name}, a judge that errs", "unseen", Decimal("0.02"), erring, gain=False)
    return bars


def _row(
    name: str, part: str, bound: Decimal, runs: Sequence[Played], *, gain: bool = True
) -> list[tuple[str, bool]]:
    """Print a row, and return the bars that it is held to."""
    if not runs:
        return []
    served, wrong = sum(each.semantic for each in runs), sum(each.wrong for each in runs)
    requests = sum(each.requests for each in runs)
    telling = [each for each in runs if each.semantic >= _COUNTED]
    above = sum(each.wrong_share > bound for each in telling)
    gains = [each.gain for each in runs]
    mean = sum(gains) / len(gains)
    hits = [each.first_hit for each in runs if each.first_hit is not None]
    labels = [each.labels for each in runs if each.labels is not None]
    low, high = 100 * lower(wrong, served, 0.025), 100 * upper(wrong, served, 0.025)
    interval = f"{100 * wrong / served:.2f} [{low:.2f}, {high:.2f}] %" if served else "-"
    print(
        f"  {part:<8}{100 * bound:>4.0f} %{_share(sum(each.repeatable for each in runs), requests):>8}"
        f"{_share(sum(each.repeated for each in runs), requests):>8}{_share(served, requests):>12}"
        f"{100 * mean:>8.0f}% ({100 * min(gains):.0f})  {interval:>27}{f'{above} of {len(telling)}':>12}"
        f"{f'{median(hits):,.0f}' if hits else 'never':>11}{f'{median(labels):.0f}' if labels else '-':>8}"
    )
    alpha = 1 - float(CONFIDENCE)
    most = alpha + 1.645 * (alpha * (1 - alpha) / len(telling)) ** 0.5 if telling else 1.0
    what = f"{name}, {part}, {100 * bound:.0f} %"
    bars = []
    if telling:
        few = above / len(telling) <= most
        bars.append(
            (f"{what}: runs above the bound {above} of {len(telling)} (at most {100 * most:.0f} %)", few)
        )
    if gain and part == "unseen" and bound in WANTED_GAIN and name in ("agent", "popular"):
        wanted = WANTED_GAIN[bound]
        bars.append((f"{what}: gain {100 * mean:.0f} % (at least {100 * wanted:.0f} %)", mean >= wanted))
    return bars


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _document(done: Done) -> dict[str, object]:
    return {
        "job": {**asdict(done.job), "bound": str(done.job.bound)},
        "cold": asdict(done.cold),
        "unseen": asdict(done.unseen),
    }


if __name__ == "__main__":
    sys.exit(main())
