"""The files of a review: the same bytes of the same document, every digit, no markup and no formula of a name."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviewed import MONDAY, line, review

from analytics.apportion import rounded
from analytics.registry import Plan, Workload
from analytics.reviews.document import (
    Action,
    Anomaly,
    Gap,
    Herd,
    Late,
    Loop,
    Moved,
    Review,
    Saving,
    Share,
    Signature,
    Trip,
    encoded,
    hash_of,
)
from analytics.reviews.files import KINDS, made
from analytics.reviews.html import html
from analytics.reviews.page import page
from analytics.reviews.tables import plain_cell

CENT = Decimal("0.01")
AT = datetime(2026, 11, 18, 2, 4, tzinfo=UTC)
HOSTILE = {
    "typst": '#read("/etc/passwd") $x^2$ *b* _i_ `raw` <label> @ref \\ //c /*d*/ [e] #pagebreak()',
    "html": '"><img src=http://evil.example/x><script>alert(1)</script>',
    "formula": '=HYPERLINK("http://evil.example","x")',
    "turned": "\u202egnirts\u202c \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "long": "x" * 300,
    "lines": "one\ntwo\r\nthree\ttab\x00nul",
    "emoji": "\U0001f680\U0001f469\u200d\U0001f469\u200d\U0001f467 \u00c5ngstr\u00f6m \u6f22\u5b57",
    "empty": " ",
}


def full(name: str) -> Review:
    """A review that has something in every part, with this name wherever there is one."""
    named = {"tenant": name, "workload": name}
    found = review(
        [
            line(name, "1.5", **named, cost_centre=name, model=name),
            line(name, "2", day=3, **named, provider=name),
        ],
        [line("former", "1", day=-7, **named)],
        plans=(Plan(name, date(2026, 11, 1), Decimal(30), "USD"),),
        workloads=(Workload(name, name, name, name),),
        costs={name: {MONDAY + timedelta(days=day): Decimal(1) for day in range(-40, 7)}},
    )
    anomaly = Anomaly(AT, None, AT, name, name, name, Decimal("-2"), name, "new")
    trip = Trip(AT, name, name, name, name, Decimal(1), Decimal(2), Decimal(3), Decimal(1), false_trip=True)
    action = Action("a", "2026-W46", name, name, date(2026, 11, 20), CENT, "overdue", name)
    parts = {
        "anomalies": (anomaly,),
        "trips": (trip,),
        "shares": (Share(name, name, Decimal(1), 2, Decimal(0)),),
        "gaps": (
            Gap(name, "2026-11", Decimal(1), Decimal(2), Decimal(-1), Decimal(-1), within=False, causes=()),
        ),
        "late": (Late(MONDAY, "late", name, name, CENT, name),),
        "herds": (Herd(AT, name, name, 2, (name,), (name,), 9, None, name),),
        "loops": (Loop(name, name, name, name, 800, CENT, None, AT, AT),),
        "savings": (Saving(name, name, name, "cheaper model", CENT, name),),
        "moved": (Moved(MONDAY, name, name, None, name, None, CENT),),
        "last_actions": (action,),
        "actions": (action,),
    }
    values = {field: getattr(found, field) for field in found.__struct_fields__}
    return Review(**{**values, **parts})


def signatures(name: str, hash_: str) -> list[Signature]:
    return [Signature(name, name, AT, hash_, name), Signature("", name, AT, hash_)]


def test_the_same_document_and_signatures_make_the_same_bytes() -> None:
    document = encoded(full("docs"))
    names = signatures("docs", hash_of(document))
    first, second = made(document, names), made(document, names)
    assert {kind: first[kind] == second[kind] for kind in KINDS} == dict.fromkeys(KINDS, True)
    assert hash_of(first["json"]) == hash_of(document)
    assert made(document, names, ["csv"]) == {"csv": first["csv"]}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_is_text_in_every_kind_of_file(name: str, tmp_path: Path) -> None:
    document = encoded(full(name))
    found = made(document, signatures(name, hash_of(document)))
    text = found["html"].decode()
    assert not re.search(r"<(script|img|link|iframe|object)\b|@import|url\((?!#)", text)
    assert "default-src 'none'" in text
    assert not re.search(r"""\b(src|href|xlink:href)=["'](?!#)""", text)
    book = openpyxl.load_workbook(io.BytesIO(found["xlsx"]))
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    assert found["pdf"].startswith(b"%PDF-")
    assert next(csv.DictReader(io.StringIO(found["csv"].decode(), newline="")))["owner"] == plain_cell(name)
    _within_the_page(found["pdf"], tmp_path)


def _within_the_page(pdf: bytes, folder: Path) -> None:
    """Every word of every page is inside its margins, and no page is one that a name has made."""
    if shutil.which("pdftotext") is None:
        return
    (folder / "r.pdf").write_bytes(pdf)
    told = subprocess.run(
        ["pdftotext", "-bbox", str(folder / "r.pdf"), "-"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    pages = re.split(r"<page ", told)[1:]
    assert len(pages) < 40
    for each in pages:
        width = float(re.search(r'width="([\d.]+)"', each)[1])  # type: ignore[index]
        for left, right in re.findall(r'xMin="([\d.-]+)" yMin="[\d.-]+" xMax="([\d.-]+)"', each):
            assert float(left) >= 30
            assert float(right) <= width - 30


@pytest.mark.parametrize("owners", [0, 1, 60], ids=str)
def test_any_number_of_owners_fits(owners: int, tmp_path: Path) -> None:
    lines = [line(f"owner-{place:02d}", str(100 - place), workload=f"w{place}") for place in range(owners)]
    found = review(lines)
    shown = page(found, [], hash_="0" * 64)
    assert len(shown["front"]["rows"]) <= 8
    (table,) = (each for each in shown["sections"] if each["key"] == "owners")
    assert len(table["rows"]) == owners + 1
    _within_the_page(made(encoded(found), (), ["pdf"])["pdf"], tmp_path)


@pytest.mark.parametrize(
    ("spent", "shown"),
    [("0.0012", "$0.0012"), ("9.5", "$9.5000"), ("12345678.90", "$12,345,678.90"), ("0", "$0.00")],
)
def test_an_amount_is_read_with_as_many_digits_as_it_wants(spent: str, shown: str) -> None:
    (tile, *_) = page(review([line("docs", spent)]), [], hash_="0" * 64)["tiles"]
    assert tile["value"] == shown


def test_a_chart_is_drawn_only_where_there_is_something_to_see() -> None:
    assert page(review(), [], hash_="")["charts"] == {}
    assert page(review([line("docs", None)]), [], hash_="")["charts"] == {}
    drawn = page(review([line("docs", "3")], [line("docs", "2", day=-7)]), [], hash_="")["charts"]
    assert {"daily", "owners", "bridge"} <= drawn.keys()


def test_growth_of_cost_is_warm_and_never_green() -> None:
    drawn = page(review([line(None, "3")], [line(None, "2", day=-7)]), [], hash_="")["charts"]
    for name in ("owners", "bridge"):
        assert "#d55e00" in drawn[name]
        assert "#009e73" not in drawn[name]


def test_the_page_says_who_has_signed_and_who_has_not() -> None:
    found = review([line("ann", "2"), line("bob", "1")])
    signed = [Signature("ann", "Ann Lee", AT, "ab" * 32)]
    shown = page(found, signed, hash_="ab" * 32)
    assert [(each["for"], each["at"]) for each in shown["signatures"]] == [
        ("ann", "2026-11-18 02:04 UTC"),
        ("bob", "not signed"),
        ("All of it", "not signed"),
    ]
    assert shown["seal"] is None
    assert "Not yet signed" in html(shown)
    sealed = page(found, [*signed, Signature("", "Fin", AT, "ab" * 32)], hash_="ab" * 32)
    assert sealed["seal"] == "Signed by Fin on 2026-11-18 02:04 UTC"


@given(st.lists(st.decimals("-1000", "1000", places=6), max_size=20))
def test_rounding_keeps_the_sum_and_moves_less_than_a_cent(values: list[Decimal]) -> None:
    shown = rounded(values, CENT)
    assert sum(shown, Decimal(0)) == sum(values, Decimal(0)).quantize(CENT)
    assert all(abs(after - before) < CENT for after, before in zip(shown, values, strict=True))


def test_csv_and_parquet_tell_the_same_to_the_last_digit() -> None:
    document = encoded(review([line("docs", "0.123456789012"), line(None, "1.000000000001")]))
    found = made(document, (), ["csv", "parquet"])
    table = pq.read_table(io.BytesIO(found["parquet"]))
    assert table.schema.field("actual").type == pa.decimal128(38, 12)
    written = list(csv.DictReader(io.StringIO(found["csv"].decode())))
    assert [row["kind"] for row in written] == ["owner", "unowned", "total"]
    assert [Decimal(row["actual"]) for row in written] == table["actual"].to_pylist()
    assert (written[2]["actual"], written[0]["plan"]) == ("1.123456789013", "")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1"])
def test_a_name_that_is_a_formula_is_guarded_in_csv(name: str) -> None:
    found = made(encoded(review([line(name, "1")])), (), ["csv"])
    first = next(csv.DictReader(io.StringIO(found["csv"].decode(), newline="")))
    assert first["owner"] == f"'{name}"


def test_a_negative_amount_is_no_formula() -> None:
    assert plain_cell(Decimal("-1.50")) == "-1.50"
