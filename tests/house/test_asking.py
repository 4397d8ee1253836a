"""`query` and `review` ask whatever answers at an address, which need not be a collector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from answering import answering

from cli import query, review

Verb = Callable[[str, str | None, Path], int]


def _query(url: str, key: str | None, _: Path) -> int:
    return query.run("select 1", given=(), collector=url, api_key=key, as_json=False)


def _review(url: str, key: str | None, out: Path) -> int:
    return review.run(review.asked("review", url, key, as_json=False), "2026-W47", out=out)


@pytest.mark.parametrize("verb", [_query, _review], ids=["query", "review"])
@pytest.mark.parametrize("body", [b"<!doctype html>", b'{"status": "ok"}', b"[]", b"null"], ids=str)
def test_what_is_no_collector_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: Verb, body: bytes
) -> None:
    with answering(body) as url:
        assert verb(url, None, tmp_path) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert f"what answers at {url} is no collector" in said


@pytest.mark.parametrize("verb", [_query, _review], ids=["query", "review"])
@pytest.mark.parametrize("status", [404, 501])
def test_the_error_page_of_another_server_is_not_repeated(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: Verb, status: int
) -> None:
    with answering(b"<!doctype html><title>Error</title>", status) as url:
        assert verb(url, None, tmp_path) == 1
    assert (
        capsys.readouterr()
        .err.rstrip()
        .endswith(f": what answers at {url} is no collector; name one with --collector")
    )


def test_a_collector_that_fails_is_said_to_and_not_taken_for_another_server(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with answering(b"Internal Server Error", 500) as url:
        assert _review(url, None, tmp_path) == 1
    assert capsys.readouterr().err.rstrip().endswith(f"{url} failed on it; its own log says why")


@pytest.mark.parametrize("verb", [_query, _review], ids=["query", "review"])
@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "the collector wants a key"),
        (
            "sg_0123456789ab_SECRET",
            "does not take the key in SWITCHGEAR_API_KEY (sg_0123456789ab): it is unknown",
        ),
        ("SECRET", "does not take the key in SWITCHGEAR_API_KEY: it is unknown"),
    ],
    ids=["none", "of the file", "root"],
)
def test_a_key_that_is_not_taken_is_named_and_its_secret_is_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: Verb, key: str | None, said: str
) -> None:
    with answering(b'{"detail": "send a key"}', 401) as url:
        assert verb(url, key, tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert "SECRET" not in line


@pytest.mark.parametrize("verb", [_query, _review], ids=["query", "review"])
def test_a_key_that_no_header_can_carry_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: Verb
) -> None:
    assert verb("http://127.0.0.1:1", "schl\N{LATIN SMALL LETTER U WITH DIAERESIS}ssel", tmp_path) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "SWITCHGEAR_API_KEY holds a character" in said


def test_no_amount_is_cut_to_fit_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    columns = [f"a_long_name_{place}" for place in range(20)]
    table: Mapping[str, Any] = {"columns": columns, "rows": [["75000.000001"] * 20], "watermark": None}
    with answering(orjson.dumps(table)) as url:
        assert _query(url, None, tmp_path) == 0
    assert capsys.readouterr().out.count("75000.000001") == 20
