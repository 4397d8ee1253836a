"""What it costs to price calls: one by one with a warm cache, and a hundred thousand at once; beside two calculators.

The peers are `genai-prices`, which our book is laid over, in this process, and LiteLLM's calculator in a virtual
environment of its own. Each is asked for the cases of published prices first, then timed on one plain call.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from apart import Unavailable, installed
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from result import Figure, show

from analytics.prices import PriceBook
from analytics.prices.bulk import priced
from switchgear.usage import COUNTS, Usage

LITELLM = "litellm==1.110.2"
SHARED = Path(os.environ.get("SWITCHGEAR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
# What the cases say of whoever recorded them, by the key of their answers; half of the 34 are at hand.
RECORDED = {"genai-prices": "genai_prices", LITELLM: "litellm_lib", "tokencost": "tokencost_lib"}
RECORDED_OF_ALL = f"genai-prices 31, {LITELLM} 24, tokencost 16"
CALLS = 100_000
ROUNDS = 15
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
# A cent's millionth: the peers reckon in floats.
CLOSE = Decimal("0.000000001")

Case = Mapping[str, Any]
PLAIN: Case = {
    "genai": ["openai", "gpt-4o"],
    "litellm": ["gpt-4o", "openai"],
    "input_tokens": 1000,
    "output_tokens": 500,
    "cache_read": 0,
    "cache_write": 0,
    "cache_write_1h": 0,
    "reasoning": 0,
    "tier": None,
    "batch": False,
    "ts": None,
}
MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5.4"),
    ("openai", "text-embedding-3-small"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-6"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("deepseek", "deepseek-chat"),
    ("groq", "llama-3.3-70b-versatile"),
    ("perplexity", "sonar-pro"),
    ("acme", "a model that nobody knows"),
)


def _cases() -> list[Case]:
    file = SHARED / "prices" / "price_cases.json"
    if not file.is_file():
        print(f"no cases at {file}: nothing to compare by (name the folder in SWITCHGEAR_SHARED_DATA)")
        return []
    cases: list[Case] = json.loads(file.read_text())["cases"]
    return cases


def _usage(case: Case) -> Usage:
    cached = case["cache_read"] + case["cache_write"] + case["cache_write_1h"]
    return Usage(
        case["input_tokens"] - cached,
        case["cache_read"],
        case["cache_write"],
        case["cache_write_1h"],
        case["output_tokens"],
        case["reasoning"],
    )


def _tier(case: Case) -> str | None:
    return "batch" if case["batch"] else case["tier"]


def _at(case: Case) -> datetime:
    return datetime.fromisoformat(case["ts"]) if case["ts"] else AT


def _theirs(case: Case) -> str:
    provider, model = case["genai"]
    tier = _tier(case)
    context = {"processing" if tier == "batch" else "service_tier": tier} if tier else None
    usage = TheirUsage(
        input_tokens=case["input_tokens"],
        cache_read_tokens=case["cache_read"],
        cache_write_tokens=case["cache_write"] + case["cache_write_1h"],
        cache_write_1h_tokens=case["cache_write_1h"],
        output_tokens=case["output_tokens"],
    )
    found = calc_price(
        usage, model, provider_id=provider, genai_request_timestamp=_at(case), price_context=context
    )
    return str(found.total_price)


def _litellm(cases: Sequence[Case]) -> tuple[list[str], float]:
    """Its answers to the cases, and its seconds for a plain call. Raises Unavailable where it cannot be had."""
    python = installed(LITELLM, "about 200 MB") / "python"
    asked = json.dumps({"cases": list(cases), "timed": PLAIN, "rounds": ROUNDS})
    # Its prices as they were packaged, not as a server has them now.
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "true", "PYTHONPATH": ""}
    program = Path(__file__).with_name("litellm_peer.py")
    try:
        answer = subprocess.run(
            [python, program],
            input=asked,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
            env=environment,
        )
    except subprocess.SubprocessError as problem:
        words = getattr(problem, "stderr", None) or str(problem)
        raise Unavailable(f"{LITELLM} does not answer: {words.strip().splitlines()[-1][:200]}") from problem
    found = json.loads(answer.stdout.splitlines()[-1])
    return found["costs"], found["seconds"]


def _compare(
    cases: Sequence[Case], ours: Sequence[str], theirs: Sequence[str], litellm: Sequence[str]
) -> None:
    right = [0, 0, 0]
    for case, *answers in zip(cases, ours, theirs, litellm or [""] * len(cases), strict=True):
        expected = Decimal(str(case["expected"]))
        verdicts = [_is(answer, expected) for answer in answers]
        right = [count + verdict for count, verdict in zip(right, verdicts, strict=True)]
        if not all(verdicts[: 3 if litellm else 2]):
            print(f"  {case['name']}: {expected} is right; {' | '.join(answers)}")
    names = ("switchgear", "genai-prices", LITELLM if litellm else "")
    said = (f"{name} {count}" for name, count in zip(names, right, strict=True) if name)
    print(f"  right of {len(cases)}: {', '.join(said)}")
    recorded = (f"{name} {sum(case['agree'][key] for case in cases)}" for name, key in RECORDED.items())
    print(f"  as recorded with the cases: {', '.join(recorded)}; of all 34: {RECORDED_OF_ALL}")


def _is(answer: str, expected: Decimal) -> bool:
    try:
        return abs(Decimal(answer) - expected) < CLOSE
    except ArithmeticError:
        return False


def _best_s(work: Callable[[], object], *, times: int) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(times):
            work()
        best = min(best, (time.perf_counter() - begun) / times)
    return best


def _calls(random: Random) -> pa.Table:
    """A quarter of calls: some long, some cached, some in batches."""
    begin = datetime(2026, 8, 1, tzinfo=UTC)
    rows = []
    for _ in range(CALLS):
        provider, model = random.choice(MODELS)
        output = random.randrange(4000)
        counts = (
            random.choice((200, 3000, 150_000)) + random.randrange(1000),
            random.choice((0, 0, 20_000, 100_000)),
            random.choice((0, 0, 0, 1500)),
            random.choice((0, 0, 0, 800)),
            output,
            output // 3,
        )
        rows.append(
            {
                "provider": provider,
                "model": model,
                "service_tier": random.choice((None,) * 9 + ("batch",)),
                "started_at": begin + timedelta(seconds=random.randrange(90 * 86_400)),
                **dict(zip(COUNTS, counts, strict=True)),
            }
        )
    types = [("provider", pa.string()), ("model", pa.string()), ("service_tier", pa.string())]
    types += [("started_at", pa.timestamp("us", "UTC")), *((name, pa.int64()) for name in COUNTS)]
    return pa.Table.from_pylist(rows, schema=pa.schema(types))


def _check(book: PriceBook, calls: pa.Table) -> int:
    """How many of the calls have a price. Raises AssertionError unless all cost what they cost alone."""
    count = 0
    for row, answer in zip(calls.to_pylist(), priced(book, calls).to_pylist(), strict=True):
        usage = Usage(*(row[name] for name in COUNTS))
        quote = book.quote(row["provider"], row["model"], usage, row["started_at"], row["service_tier"])
        assert (answer["cost"], answer["currency"]) == (quote.cost, quote.currency), row
        count += quote.cost is not None
    return count


def _figures(book: PriceBook, litellm_s: float | None) -> Iterator[Figure]:
    plain = _usage(PLAIN)
    whole = Usage(300, 600, 70, 30, 50, 20)
    yield Figure(
        "a quote of 2 lines, warm",
        _best_s(lambda: book.quote("openai", "gpt-4o", plain, AT), times=1000) * 1e6,
        "µs",
        "<= 20",
    )
    yield Figure(
        "a quote of 5 lines with context tiers, warm",
        _best_s(lambda: book.quote("anthropic", "claude-sonnet-4-5", whole, AT), times=1000) * 1e6,
        "µs",
        "<= 20",
    )
    yield Figure("genai-prices, the same 2 lines", _best_s(lambda: _theirs(PLAIN), times=100) * 1e6, "µs")
    if litellm_s is not None:
        yield Figure(f"{LITELLM}, the same 2 lines", litellm_s * 1e6, "µs")
    calls = _calls(Random(7))
    known = _check(book, calls)
    yield Figure(f"of {CALLS:,} calls, priced as one by one", known, "calls")
    seconds = _best_s(lambda: priced(book, calls), times=1)
    yield Figure(f"{CALLS:,} calls at once, rates at hand", CALLS / seconds, "calls/s", ">= 500,000")
    begun = time.perf_counter()
    priced(PriceBook(), calls)
    yield Figure("the same with a new book, from its files on", time.perf_counter() - begun, "s")


def main() -> None:
    """Compare, then print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-peer", action="store_true", help="leave LiteLLM out")
    arguments = parser.parse_args()
    book = PriceBook()
    cases = _cases()
    litellm: tuple[list[str], float] | None = None
    if not arguments.no_peer:
        try:
            litellm = _litellm(cases)
        except Unavailable as reason:
            print(f"LiteLLM is left out: {reason}")
    if cases:
        print(f"published prices, by {book.version}")
        ours = [str(book.quote(*case["genai"], _usage(case), _at(case), _tier(case)).cost) for case in cases]
        _compare(cases, ours, [_theirs(case) for case in cases], litellm[0] if litellm else [])
    show("pricing, one core", _figures(book, litellm[1] if litellm else None))


if __name__ == "__main__":
    main()
