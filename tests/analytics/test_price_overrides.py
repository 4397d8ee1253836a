"""Overrides: dated entries over the list prices, in files that people write and that are refused with every reason."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

import analytics.prices
from analytics.documents import DocumentError, read, tree_of
from analytics.live import LivePrices
from analytics.prices import PriceBook
from analytics.prices.document import EntryDocument, RatesDocument
from analytics.prices.files import parse
from cli import prices as verb
from switchgear.usage import APART, COUNTS, Usage

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
MILLION = 1_000_000
Book = Callable[[str], PriceBook]

HOUSE = """\
version: 1
prices:
  - provider: acme
    models: [house-7b, house-7b-*]
    from: 2026-01-01
    to: 2026-07-01
    currency: EUR
    input: 0.20
    output: 0.60
    cache_read: 0.02
    above: {1000: {input: 0.40}}
    batch: 0.5
    priority: {input: 0.50}
    tiers: {night: {factor: 0.25}}
    hours: {"22:00-06:00": 0.5}
    per_request: 0.001
    per: {web_searches: 0.01}
  - provider: acme
    models: house-7b
    from: 2026-07-01
    currency: EUR
    input: 0.10
    output: 0.30
corrections:
  - provider: openai
    models: [gpt-4o]
    from: 2026-11-01T16:00:00Z
    currency: USD
    output: 9
exchange:
  - {from: EUR, to: USD, since: 2026-01-01, rate: 1.10}
  - {from: EUR, to: USD, since: 2026-11-24, rate: 1.0871}
"""


@pytest.fixture
def book(tmp_path: Path) -> Book:
    def of(text: str) -> PriceBook:
        path = tmp_path / "prices.yaml"
        path.write_text(text)
        return PriceBook([path])

    return of


SPRING = datetime(2026, 3, 1, 12, tzinfo=UTC)
USAGE = Usage(500, output=100)
# 500 x 0.20 + 100 x 0.60 a million, and the request.
STANDARD = Decimal("0.00016")
FEE = Decimal("0.001")


@pytest.mark.parametrize(
    ("usage", "at", "tier", "cost"),
    [
        (USAGE, SPRING, None, STANDARD + FEE),
        (USAGE, SPRING, "standard", STANDARD + FEE),
        (USAGE, SPRING, "batch", STANDARD / 2 + FEE),
        (USAGE, SPRING, "night", STANDARD / 4 + FEE),
        (USAGE, SPRING, "priority", Decimal("0.00031") + FEE),
        (USAGE, SPRING.replace(hour=22), None, STANDARD / 2 + FEE),
        (USAGE, SPRING.replace(hour=5, minute=59, second=59), None, STANDARD / 2 + FEE),
        (USAGE, SPRING.replace(hour=6), None, STANDARD + FEE),
        (USAGE, SPRING.replace(hour=23), "batch", STANDARD / 4 + FEE),
        (Usage(1001), SPRING, None, Decimal("0.0004004") + FEE),
        (Usage(400, 601), SPRING, None, Decimal("0.00016") + Decimal("0.00001202") + FEE),
        (Usage(500, output=100, apart=(("web_searches", 3),)), SPRING, None, STANDARD + FEE + Decimal("0.03")),
        (USAGE, datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), None, STANDARD / 2 + FEE),
        (USAGE, datetime(2026, 7, 1, tzinfo=UTC), None, STANDARD / 2),
        (USAGE, datetime(2025, 12, 31, 23, tzinfo=UTC), None, None),
        (USAGE, SPRING, "flex", None),
    ],
    ids=[
        "standard", "named standard", "batch", "another tier", "priority", "night begins", "night ends", "day",
        "night and batch", "above a start", "no rate above it", "a fee", "last second", "next price", "before",
        "no tier",
    ],
)  # fmt: skip
def test_a_price_of_a_file_is_the_whole_price(
    book: Book, usage: Usage, at: datetime, tier: str | None, cost: Decimal | None
) -> None:
    quote = book(HOUSE).quote("acme", "house-7b", usage, at, tier)
    assert quote.cost == cost
    assert quote.currency == (None if cost is None else "EUR")


def test_a_correction_replaces_the_rates_that_it_names_and_no_others(book: Book) -> None:
    found = book(HOUSE)
    begins = datetime(2026, 11, 1, 16, tzinfo=UTC)
    before = found.quote("openai", "gpt-4o", Usage(1000, output=1000), begins - timedelta(microseconds=1))
    after = found.quote("azure.ai.openai", "gpt-4o-2024-08-06", Usage(1000, output=1000), begins)
    assert before.cost == Decimal("0.0125")  # (2.50 + 10) x 1,000 a million
    assert after.cost == Decimal("0.0115")  # (2.50 + 9) x 1,000 a million


def test_the_file_of_the_user_goes_before_the_corrections_of_the_package(book: Book) -> None:
    text = "version: 1\nprices:\n  - {provider: openai, models: [o3], currency: USD, input: 1, output: 2}\n"
    june = datetime(2025, 6, 1, tzinfo=UTC)
    assert PriceBook().quote("openai", "o3", Usage(cache_read=MILLION), june).cost == Decimal("2.50")
    # A cache read without a rate of its own is input.
    assert book(text).quote("openai", "o3", Usage(cache_read=MILLION), june).cost == Decimal(1)


def test_a_name_goes_before_a_pattern(book: Book) -> None:
    text = (
        "version: 1\nprices:\n"
        "  - {provider: acme, models: ['house-*'], currency: USD, input: 1, output: 1}\n"
        "  - {provider: acme, models: [house-x], currency: USD, input: 3, output: 3}\n"
    )
    found = book(text)
    assert found.quote("acme", "house-x", Usage(MILLION), AT).cost == Decimal(3)
    assert found.quote("ACME", "House-Y", Usage(MILLION), AT).cost == Decimal(1)
    # Where the span names a framework as its provider, the one provider that has such a model is meant.
    assert found.quote("langchain", "house-y", Usage(MILLION), AT).cost == Decimal(1)
    assert found.quote("another", "house-y", Usage(MILLION), AT).cost is None
    assert found.quote("acme", "hause-x", Usage(1), AT, suggest=True).near == ("house-x",)


def test_known_errors_of_the_list_are_corrected() -> None:
    found = PriceBook()
    grok = found.quote("x_ai", "grok-4", Usage(150_000, output=2000), AT)
    assert grok.cost == (150_000 * Decimal(6) + 2000 * Decimal(30)) / MILLION
    sonnet = found.quote(
        "anthropic", "claude-sonnet-4-20250514", Usage(1, 200_000), datetime(2025, 10, 1, tzinfo=UTC)
    )
    assert sonnet.cost == (1 * Decimal(6) + 200_000 * Decimal("0.60")) / MILLION
    night = datetime(2025, 9, 5, 20, tzinfo=UTC)
    assert found.quote("deepseek", "deepseek-chat", Usage(MILLION), night).cost == Decimal("0.56")
    assert found.quote(
        "deepseek", "deepseek-chat", Usage(MILLION), night - timedelta(days=1)
    ).cost == Decimal("0.135")


def test_a_tier_holds_before_the_book_learned_of_it_where_the_price_was_the_same() -> None:
    found = PriceBook()
    before = datetime(2025, 10, 1, tzinfo=UTC)
    assert found.quote("openai", "gpt-5", Usage(MILLION), before, "priority").cost == Decimal("2.5")
    # o3 cost another price until 2025-06-10: what its tiers cost then is not known.
    assert found.quote("openai", "o3", Usage(MILLION), datetime(2025, 6, 1, tzinfo=UTC), "flex").cost is None


@pytest.mark.parametrize(
    ("provider", "model", "tier", "rate"),
    [
        ("anthropic", "claude-3-5-haiku-20241022", "batch", "0.40"),
        ("anthropic", "claude-opus-4-1", "batch", "7.50"),
        ("anthropic", "claude-sonnet-4-5", "batch", "1.50"),
        ("openai", "text-embedding-3-small", "batch", "0.01"),
        ("openai", "text-embedding-3-large", "batch", "0.065"),
        ("groq", "llama-3.3-70b-versatile", "flex", "0.59"),
    ],
    ids=["withdrawn", "withdrawn, without a date", "sold", "small", "large", "flex as on demand"],
)
def test_tiers_that_the_list_does_not_have_are_those_that_were_published(
    provider: str, model: str, tier: str, rate: str
) -> None:
    assert PriceBook().quote(provider, model, Usage(MILLION // 10), AT, tier).cost == Decimal(rate) / 10


def test_a_tier_is_found_however_the_file_and_the_call_spell_it(book: Book) -> None:
    found = book(entry("input: 1, tiers: {OverNight: 0.5}"))
    assert found.quote("acme", "m", Usage(MILLION), AT, "overNIGHT").cost == Decimal("0.5")


def test_every_entry_of_the_package_names_its_source_and_reason() -> None:
    files = sorted((Path(analytics.prices.__file__).parent / "overrides").glob("*.yaml"))
    assert files
    for file in files:
        tree = tree_of(read(file), file.name)
        for entry in [*tree.get("prices", []), *tree.get("corrections", [])]:
            assert entry["source"], entry
            assert entry["reason"], entry


def test_the_version_is_by_content(book: Book, tmp_path: Path) -> None:
    first, second = book(HOUSE).version, book(HOUSE.replace("0.20", "0.21")).version
    assert first != second
    assert book(HOUSE).version == first
    other = tmp_path / "another name.yaml"
    other.write_text(HOUSE)
    assert PriceBook([other]).version == first
    assert PriceBook().version not in {first, second}
    assert PriceBook().version.partition(" + ")[0].startswith("genai-prices ")


@pytest.mark.parametrize(
    ("usage", "kinds"),
    [
        (Usage(100, output=10, apart=(("input_audio", 60),)), {"input_uncached": 40, "input_audio": 60, "output": 10}),
        (Usage(100, 50, apart=(("cache_read_audio", 50),)), {"input_uncached": 100, "cache_read_audio": 50}),
        (Usage(0, output=10, apart=(("output_audio", 10),)), {"output_audio": 10}),
        # gpt-realtime has no rate for video: it is what it is a part of.
        (Usage(100, apart=(("input_video", 60),)), {"input_uncached": 100}),
        # Seconds tell again what the tokens tell.
        (Usage(100, apart=(("audio_seconds", 60),)), {"input_uncached": 100}),
    ],
    ids=["audio", "cached audio", "all of it audio", "no rate of its own", "seconds and tokens"],
)  # fmt: skip
def test_what_is_billed_apart_is_priced_once(usage: Usage, kinds: dict[str, int]) -> None:
    quote = PriceBook().quote("openai", "gpt-realtime", usage, AT)
    assert {line.kind: line.quantity for line in quote.lines} == kinds


@pytest.mark.parametrize(
    ("provider", "model", "usage", "cost"),
    [
        ("anthropic", "claude-sonnet-4-5", Usage(0, apart=(("web_searches", 2),)), Decimal("0.02")),
        ("anthropic", "claude-sonnet-4-5", Usage(0, apart=(("code_executions", 1),)), None),
        ("anthropic", "claude-sonnet-4-5", Usage(MILLION // 10, apart=(("web_fetches", 9),)), Decimal("0.3")),
        ("groq", "whisper-large-v3", Usage(apart=(("audio_seconds", 3600),)), Decimal("0.111")),
        ("openai", "gpt-4o", Usage(apart=(("audio_seconds", 3600),)), None),
        ("perplexity", "sonar-pro", Usage(apart=(("web_searches", 7),)), Decimal("0.014")),
        ("cohere", "rerank-v3.5", Usage(apart=(("search_units", 2),)), Decimal("0.004")),
    ],
    ids=[
        "searches",
        "no fee known",
        "free",
        "an hour of audio",
        "no rate of it",
        "in the request",
        "search units",
    ],
)
def test_a_fee_that_is_not_known_makes_a_call_unpriced(
    provider: str, model: str, usage: Usage, cost: Decimal | None
) -> None:
    assert PriceBook().quote(provider, model, usage, AT).cost == cost


@pytest.mark.parametrize(
    ("amount", "pair", "at", "converted"),
    [
        ("100", ("EUR", "USD"), AT, "108.71"),
        ("108.71", ("USD", "EUR"), AT, "100"),
        ("100", ("EUR", "USD"), datetime(2026, 11, 23, 23, 59, tzinfo=UTC), "110"),
        ("100", ("EUR", "EUR"), AT, "100"),
        ("1", ("USD", "EUR"), SPRING, "0.909090909091"),
        ("100", ("EUR", "USD"), datetime(2025, 12, 31, tzinfo=UTC), None),
        ("100", ("EUR", "GBP"), AT, None),
    ],
    ids=[
        "from the day on",
        "the other way",
        "the day before",
        "itself",
        "rounded",
        "before all",
        "no such pair",
    ],
)
def test_amounts_are_converted_by_the_rate_of_the_day(
    book: Book, amount: str, pair: tuple[str, str], at: datetime, converted: str | None
) -> None:
    found = book(HOUSE).convert(Decimal(amount), *pair, at)
    assert found == (None if converted is None else Decimal(converted))


PRICE = "version: 1\nprices:\n  - {provider: acme, models: [m], currency: USD, input: 1, output: 2}\n"


def entry(more: str, *, models: str = "m", kind: str = "prices") -> str:
    return f"version: 1\n{kind}:\n  - {{provider: acme, models: [{models}], currency: USD, {more}}}\n"


def after(more: str) -> str:
    return PRICE + f"  - {{provider: acme, {more}}}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (entry("input: -1"), "p.yaml:3:57: prices[0].input: -1 is negative"),
        (entry("input: .nan"), "is not a finite number"),
        (entry("input: three"), 'prices[0].input: "three" is not a number'),
        (entry("input: true"), "prices[0].input: True is not a number"),
        (entry('input: "3 EUR"'), '"3 EUR" names a currency of its own'),
        (entry("input: 0.12345678901234567"), "write it in quotes"),
        (entry("input: 2000000"), "2000000 is more than any rate"),
        (entry('input: "1e-400"'), "prices[0].input: a number has at most 18 decimals"),
        (entry("input: [1]"), "prices[0].input: a list is not a number"),
        (entry("input: 1, above: {999999999999: {input: 2}}"), "prices[0].above[999999999999]"),
        (entry("input: 1, batch: 0.5, tiers: {Batch: 0.4}"), 'tiers.Batch: the tier "batch" stands here twice'),
        (entry("input: 1, tiers: {Standard: 0.4}"), "prices[0].tiers.Standard: that is no tier of its own"),
        (entry("inputs: 1"), "p.yaml:3:50: prices[0].inputs: no such setting here"),
        (PRICE.replace("currency: USD, ", ""), "p.yaml:3:5: prices[0].currency: is missing"),
        (PRICE.replace("USD", "dollars"), "p.yaml:3:45: prices[0].currency:"),
        (PRICE.replace("provider: acme, ", ""), "prices[0].provider: is missing"),
        (PRICE.replace("acme", "langchain"), '"langchain" says nothing of who bills'),
        (entry("batch: 0.5"), "p.yaml:3:5: prices[0]: it has no rate"),
        (entry("output: 5"), "prices[0]: input is missing"),
        (entry("input: 1, input: 2"), 'p.yaml:3:60: not YAML that can be used: found duplicate key "input"'),
        (entry("input: 1, from: 2026-01-01T00:00:00+02:00"), "prices[0].from: 2026-01-01T00:00:00+02:00 is not UTC"),
        (entry("input: 1, from: 2026-01-01 08:00:00"), "is not UTC"),
        (entry("input: 1, from: soon"), '"soon" is not a date; write 2026-01-01'),
        (entry("input: 1, from: 2026"), "2026 is not a date"),
        (entry("input: 1, from: 2026-02-01, to: 2026-02-01"), "it ends at 2026-02-01, not after it begins"),
        (entry("input: 1, above: {0: {input: 2}}"), "prices[0].above[0]: Input should be greater than 0"),
        (entry("input: 1, above: {9: {output: 2}}"), "prices[0].above[9].output: there is no output below 9"),
        (entry("input: 1, batch: 0"), "prices[0].batch.factor: 0 is not a factor"),
        (entry("input: 1, batch: {}"), "write either a factor, such as 0.5, or rates"),
        (entry("input: 1, batch: {factor: 1, input: 1}"), "write either a factor, such as 0.5, or rates"),
        (entry("input: 1, flex: {input: -1}"), "p.yaml:3:74: prices[0].flex.input: -1 is negative"),
        (entry('input: 1, hours: {"8-9": 1}'), "prices[0].hours.8-9"),
        (entry('input: 1, hours: {"08:00-08:00": 1}'), "it ends where it begins"),
        (entry('input: 1, hours: {"22:00-06:00": 0.5, "05:00-07:00": 0.4}'), 'it overlaps "22:00-06:00"'),
        (entry("input: 1, per: {web_search: 1}"), "per.web_search: nothing is counted by that; there are: web_"),
        (entry("input: 1, per: {web_searches: -1}"), "prices[0].per.web_searches: -1 is negative"),
        (entry("input: 1", models="'[a]'"), "is no name of a model"),
        (entry("from: 2026-01-01", kind="corrections"), "p.yaml:3:5: corrections[0]: it corrects nothing"),
        (entry("input: 1", kind="corrections").replace("USD", "EUR"), "what is billed in EUR is a price"),
        (after("models: [m], currency: USD, input: 1"), 'p.yaml:4:30: prices[1].models: "m" has another entry for'),
        (after("models: [M], currency: USD, input: 1, from: 2026-01-01"), "has another entry for that time: prices[0]"),
        (after("models: [m], currency: EUR, input: 1"), '"m" is in USD in prices[0]; a model has one currency'),
        (after("models: ['a*c'], currency: USD, input: 1").replace("[m]", "['*b?']"), "has another entry"),
        ("version: 1\nexchange: [{from: EUR, to: USD, since: 2026-01-01, rate: 0}]\n", "p.yaml:2:58: exch"),
        ("version: 1\nexchange: [{from: EUR, to: EUR, since: 2026-01-01, rate: 1}]\n", "EUR is worth itself"),
        ("version: 1\nexchange: [{from: EUR, to: USD, since: 2026-01-01T01:00:00Z, rate: 1}]\n", "is not a day"),
        ("version: 1\nexchange: [{from: EUR, to: USD, since: 2026-01-01, rate: 1e300}]\n", "p.yaml:2:58: exch"),
        (HOUSE + "  - {from: USD, to: EUR, since: 2026-11-24, rate: 2}\n", "have a rate of that day: exchange[1]"),
        ("version: 2\n", "p.yaml:1:10: version: 2 is not known; write 1"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_file_line_and_reason(text: str, says: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(text, name="p.yaml")
    assert says in str(refused.value)
    assert all(line.startswith("p.yaml:") for line in str(refused.value).splitlines())


NESTED = "a: &a [x, x]\n" + "".join(
    f"{later}: &{later} [{', '.join([f'*{earlier}'] * 9)}]\n" for earlier, later in pairwise("abcdefghijkl")
)
"""A list that nests lists by aliases: written out, it would have 2 * 9**11 words."""


@pytest.mark.parametrize("field", ["input: *l", "input: 1, from: *l", "input: 1, batch: *l"])
def test_what_aliases_nest_without_end_is_refused_and_not_written_out(field: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(NESTED + entry(field), name="p.yaml")
    assert len(str(refused.value)) < 2000


def test_entries_that_follow_each_other_do_not_overlap() -> None:
    first = entry("input: 1, to: 2026-01-01")
    parse(
        first + "  - {provider: acme, models: [m], from: 2026-01-01, currency: USD, input: 2}\n",
        name="p.yaml",
    )


def test_every_error_of_a_file_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(
        "version: 1\nprices:\n"
        "  - {provider: acme, models: [m], input: 1}\n"
        "  - {provider: acme, models: [m], currency: USD, input: -1}\n"
        "  - {provider: acme, models: [n], currency: USD, input: 1}\n"
        "  - {provider: acme, models: [n], currency: USD, input: 2}\n"
        "corrections:\n  - {provider: acme, models: [m], currency: USD, prize: 1}\n"
    )
    assert verb.check(file, as_json=False) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[2] for line in lines] == ["3", "4", "8", "6"]
    assert verb.check(file, as_json=True) == 1
    assert "-1 is negative" in capsys.readouterr().out


def test_keys_that_stand_twice_are_all_told_at_once() -> None:
    with pytest.raises(DocumentError) as refused:
        parse("version: 1\nversion: 1\nprices: [{provider: a, provider: b}]\n", name="p.yaml")
    assert [line.split(":")[1] for line in str(refused.value).splitlines()] == ["2", "3"]


def test_check_says_that_a_file_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(HOUSE)
    assert verb.check(file, as_json=False) == 0
    assert "fine: 2 prices, 1 corrections, 2 exchange rates" in capsys.readouterr().out
    assert verb.check(tmp_path / "none.yaml", as_json=False) == 2


def test_the_example_uses_every_setting_of_an_entry_and_is_fine() -> None:
    text = read(Path(__file__).parents[2] / "examples" / "prices.yaml")
    parse(text, name="prices.yaml")
    entries = [*tree_of(text, "prices.yaml")["prices"], *tree_of(text, "prices.yaml")["corrections"]]
    used = {name for entry in entries for name in entry} | {"flex", "reason"}
    tokens = {*RatesDocument.model_fields}
    settings = {field.alias or name for name, field in EntryDocument.model_fields.items()}
    assert settings - tokens <= used


def test_list_shows_the_rates_of_a_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(HOUSE)
    assert verb.list_("acme", None, "2026-03-01T12:00:00Z", None, file, as_json=False) == 0
    said = capsys.readouterr().out
    assert "acme house-7b  EUR  input_uncached 0.2 (above 1000: 0.4)" in said
    assert verb.list_("openai", "gpt-4o", "2026-03-01T12:00:00Z", None, file, as_json=True) == 0
    assert '"per_million": "2.5"' in capsys.readouterr().out
    assert verb.list_("openai", "no such model", None, None, file, as_json=False) == 1


def test_every_count_and_part_can_be_priced_by_a_file() -> None:
    tokens = [name for name in (*COUNTS, *APART) if APART.get(name, "") is not None]
    rates = ", ".join(f"{'input' if name == 'input_uncached' else name}: 1" for name in tokens)
    units = ", ".join(f"{name}: 1" for name, whole in APART.items() if whole is None)
    (price,) = parse(entry(f"{rates}, per: {{{units}}}"), name="p.yaml").overrides.prices
    assert set(price.terms.rates) == {*COUNTS, *APART}


def test_a_changed_file_is_taken_over_and_a_bad_one_leaves_the_book(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(PRICE)
    live = LivePrices(file)
    first = live.quote("acme", "m", Usage(MILLION), AT)
    with caplog.at_level(logging.INFO, logger="switchgear"):
        file.write_text(PRICE.replace("input: 1", "input: -1"))
        live.look()
        assert live.quote("acme", "m", Usage(MILLION), AT) == first
        assert f"{file}:3:57: prices[0].input: -1 is negative" in caplog.text
        file.unlink()
        live.look()
        assert live.quote("acme", "m", Usage(MILLION), AT) == first
        file.write_text(PRICE.replace("input: 1", "input: 1.25"))
        live.look()
    assert live.quote("acme", "m", Usage(MILLION), AT).cost == Decimal("1.25")
    assert "is read again" in caplog.text


def test_a_service_without_a_file_has_the_book_alone() -> None:
    live = LivePrices(None)
    live.look()
    assert live.book.version == PriceBook().version
