"""`switchgear rerate` shows differences, writes just these when told to, and says by its exit code what it found."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from otlp_samples import Served, llm_span, request
from repricing import Book
from typer.testing import CliRunner

from cli import rerate as verb
from cli.main import app
from collector.pricing import Quote

Rerate = Callable[..., Result]
RANGE = ("--from", "2026-11-01", "--to", "2026-12-01")


@pytest.fixture
def book() -> Book:
    return Book("b1", {"a": (1, "USD"), "b": (10, "USD")})


@pytest.fixture
def rerate(serve: Callable[..., Served], book: Book) -> Rerate:
    """The command, on a collector with a call of the model a and one of b."""
    served = serve(price=book)
    spans = [
        llm_span(number, {"gen_ai.request.model": model, "gen_ai.response.model": model})
        for number, model in ((1, "a"), (2, "b"))
    ]
    served.send(request(spans))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["rerate", "--collector", served.url, *arguments])

    return run


def documents(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_without_a_difference_it_ends_with_0(rerate: Rerate) -> None:
    result = rerate(*RANGE)
    assert (result.exit_code, "2 calls by b1" in result.stdout) == (0, True), result.output
    assert "Nothing is written" not in result.stdout


def test_differences_are_shown_and_not_written_and_it_ends_with_1(rerate: Rerate, book: Book) -> None:
    book.become("b2", a=(3, "USD"), b=(10, "USD"))
    result = rerate(*RANGE, "--by", "model")
    assert result.exit_code == 1
    shown = [line.split() for line in result.stdout.splitlines()]
    assert ["a", "USD", "1", "1", "0", "0", "0", "0.00105", "0.00315", "0.0021"] in shown
    assert ["total", "USD", "2", "1", "0", "0", "0", "0.01155", "0.01365", "0.0021"] in shown
    assert "Nothing is written. To write just this: the same with --write --reason 'why'" in result.stdout
    assert rerate(*RANGE).exit_code == 1


def test_what_is_written_is_shown_before_and_is_no_difference_after(rerate: Rerate, book: Book) -> None:
    book.become("b2", a=(3, "USD"), b=(10, "USD"))
    result = rerate(*RANGE, "--write", "--reason", "wrong price", "--book", "b2")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[-1].startswith("Written as ")
    assert lines[-1].endswith(": 1 adjustments, 0.0021 USD")
    assert lines.index(next(line for line in lines if line.startswith("total"))) < len(lines) - 1
    assert rerate(*RANGE).exit_code == 0
    again = rerate(*RANGE, "--write", "--reason", "wrong price")
    assert (again.exit_code, again.stdout.splitlines()[-1]) == (0, "There is nothing to write.")


def test_as_json_it_is_a_line_before_and_a_line_after_writing(rerate: Rerate, book: Book) -> None:
    book.become("b2", a=(3, "USD"), b=(10, "USD"))
    (shown,) = documents(rerate(*RANGE, "--json"))
    assert (shown["rerate"], shown["totals"][0]["delta"]) == (None, "0.0021")
    before, after = documents(rerate(*RANGE, "--json", "--write", "--reason", "r"))
    assert before["shown"] == after["shown"] == shown["shown"]
    assert (before["rerate"], after["rerate"]["adjustments"]) == (None, 1)


def test_a_price_that_is_gone_is_a_finding_on_stderr(rerate: Rerate, book: Book) -> None:
    book.become("b2", a=(1, "USD"))
    result = rerate(*RANGE)
    assert (result.exit_code, "Nothing is written" in result.stdout) == (1, False)
    assert "1 calls have no price in this book: they keep what they have" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*RANGE, "--write"), "to write takes both: --write --reason 'why'"),
        ((*RANGE, "--reason", "r"), "to write takes both"),
        (("--from", "November", "--to", "2026-12-01"), "'November' is no instant; write 2026-11-20"),
        (("--from", "2026-12-01", "--to", "2026-11-01"), "must lie before"),
        ((*RANGE, "--book", "b9"), "'b9' is not the one that is loaded: that is 'b1'"),
    ],
    ids=["no reason", "no write", "no date", "range", "book"],
)
def test_misuse_ends_with_2_and_says_how_to_ask(
    rerate: Rerate, arguments: tuple[str, ...], said: str
) -> None:
    result = rerate(*arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.output


def test_where_no_collector_answers_it_ends_with_1() -> None:
    result = CliRunner().invoke(app, ["rerate", *RANGE, "--collector", "http://127.0.0.1:9"])
    assert (result.exit_code, "no collector answers at http://127.0.0.1:9" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("option", "expected"),
    [((), "switchgear: rerate: 0 of 2 calls"), (("--json",), '{"calls": 0, "of": 2, "write": false}')],
    ids=["words", "json"],
)
def test_a_long_rerate_says_on_stderr_how_far_it_is(
    rerate: Rerate, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...], expected: str
) -> None:
    told = threading.Event()
    tell = verb._tell_progress

    def telling(found: dict[str, Any], *, as_json: bool) -> None:
        tell(found, as_json=as_json)
        told.set()

    def price(_: Book, provider: str | None, *__: object) -> Quote:
        # A call has a price only once somebody has been told how far it is.
        return Quote(None, None, "b1" if provider is None or told.wait(10) else "nobody was told")

    monkeypatch.setattr(verb, "_PROGRESS_EVERY_S", 0.01)
    monkeypatch.setattr(verb, "_tell_progress", telling)
    monkeypatch.setattr(Book, "__call__", price)
    assert rerate(*RANGE, *option).stderr.splitlines()[0] == expected
