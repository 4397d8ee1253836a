"""Registry files: what spreadsheets write is read, and what is wrong is told with file, line, column and value."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics.registry.lines import (
    PLANS,
    WORKLOADS,
    CostCentre,
    Plan,
    Revenue,
    Workload,
    written,
)
from analytics.registry.sheets import SheetError, read_sheets, text_of

HEADER = "tenant,workload,owner,cost_centre,from,to\n"
ONE = Workload("acme", "writer", "docs", "CC-1", date(2026, 11, 16), None)

HABITS = {
    "plain": HEADER + "acme,writer,docs,CC-1,2026-11-16,\n",
    "byte order mark": "\ufeff" + HEADER + "acme,writer,docs,CC-1,2026-11-16,\n",
    "semicolons": HEADER.replace(",", ";") + "acme;writer;docs;CC-1;2026-11-16;\n",
    "tabs": HEADER.replace(",", "\t") + "acme\twriter\tdocs\tCC-1\t2026-11-16\t\n",
    "quotes": '"tenant","workload","owner","cost_centre","from","to"\n"acme","writer","docs","CC-1","2026-11-16",""\n',
    "CRLF": HEADER.replace("\n", "\r\n") + "acme,writer,docs,CC-1,2026-11-16,\r\n",
    "no end of line": HEADER + "acme,writer,docs,CC-1,2026-11-16,",
    "blank lines": "\n" + HEADER + "\n,,,,,\nacme,writer,docs,CC-1,2026-11-16,\n\n",
    "empty columns": HEADER.replace("\n", ",,\n") + "acme,writer,docs,CC-1,2026-11-16,,,\n",
    "capitals and spaces": "Tenant, Workload ,Owner,Cost Centre,From,To\n acme , writer,docs,CC-1,2026-11-16,\n",
    "another order": "to,from,cost_centre,owner,workload,tenant\n,2026-11-16,CC-1,docs,writer,acme\n",
    "few columns": "tenant,workload,owner,cost_centre,from\nacme,writer,docs,CC-1,2026-11-16\n",
    "an export": HEADER.replace("\n", ",source\n") + "acme,writer,docs,CC-1,2026-11-16,,imported\n",
    "a filled template": HEADER.replace("\n", ",calls,cost,currency,first_seen,last_seen\n")
    + "acme,writer,docs,CC-1,2026-11-16,,12,0.5,USD,2026-11-16T00:00:00Z,2026-11-17T00:00:00Z\n",
}


@pytest.mark.parametrize("text", HABITS.values(), ids=HABITS)
def test_a_file_is_read_as_spreadsheets_write_it(text: str) -> None:
    assert read_sheets({"f.csv": text.encode()}).lines == {"workloads": [ONE]}


def test_the_header_says_of_which_kind_the_lines_are() -> None:
    sheet = read_sheets(
        {
            "approvers.csv": b"cost_centre,approver,from,to\nCC-1,ann,,\n",
            "plan.csv": b"cost_centre,month,amount,currency\nCC-1,2026-11,1200.50,USD\n",
            "plan2.csv": b"cost_centre,month,amount,currency\nCC-2,2026-11,0,USD\n",
            "revenue.csv": b"tenant,month,amount,currency\nacme,2026-11,9000,USD\n",
        }
    )
    november = date(2026, 11, 1)
    assert sheet.lines == {
        "cost_centres": [CostCentre("CC-1", "ann")],
        "plans": [
            Plan("CC-1", november, Decimal("1200.50"), "USD"),
            Plan("CC-2", november, Decimal(0), "USD"),
        ],
        "revenue": [Revenue("acme", november, Decimal(9000), "USD")],
    }


PLAN = "cost_centre,month,amount,currency\n"
UNFIT = {
    "thousands": (
        PLAN + 'CC-1,2026-11,"1,234.50",USD\n',
        "f.csv:2: amount: '1,234.50' has marks between its digits; write \"1234.50\"",
    ),
    "decimal comma": (
        PLAN.replace(",", ";") + "CC-1;2026-11;12,5;USD\n",
        "f.csv:2: amount: '12,5' has marks between its digits; write \"12.5\"",
    ),
    "currency sign": (
        PLAN + "CC-1,2026-11,$12,USD\n",
        "f.csv:2: amount: '$12' is no amount; write a text such as",
    ),
    "month": (PLAN + "\nCC-1,Nov-26,12,USD\n", "f.csv:3: month: 'Nov-26' is no month; write \"2026-11\""),
    "date": (
        HEADER + "acme,w,docs,,11/16/2026,\n",
        "f.csv:2: from: '11/16/2026' is no date; write year, month and day",
    ),
    "no tenant": (HEADER + ",w,docs,,,\n", "f.csv:2: tenant: None is no name"),
    "overlap": (
        HEADER + "acme,w,docs,,,\n\nacme,w,legal,,2026-11-16,\n",
        'f.csv:2 and f.csv:4: acme / w has two lines for the same time; let the first end with to "2026-11-16"',
    ),
    "unquoted comma": (
        HEADER + "acme,w,Smith, Ann,CC-1,2026-11-16,2026-11-17\n",
        "f.csv:2: '2026-11-17' stands beyond the last column; quote a text with commas",
    ),
    "unknown column": (
        "tenant,workload,owner,cost_center\na,b,c,d\n",
        "f.csv: line 1: the column 'cost_center' is unknown; write the header",
    ),
    "missing column": (
        "cost_centre,month,amount\nCC-1,2026-11,1\n",
        "f.csv: line 1: the column currency is missing; write the header",
    ),
    "column twice": (
        "tenant,workload,owner,owner\na,b,c,d\n",
        "f.csv: line 1: the column owner stands there twice",
    ),
    "open quote": (HEADER + 'acme,w,"docs,,,\n', "f.csv: line 2: unexpected end of data; is a quote open?"),
    "empty": (
        "",
        "f.csv: is empty; write a header, one of: tenant,workload,owner,cost_centre,from,to or",
    ),
}


@pytest.mark.parametrize(("text", "said"), UNFIT.values(), ids=UNFIT)
def test_what_is_wrong_is_told_with_its_place_its_value_and_what_to_write(text: str, said: str) -> None:
    with pytest.raises(SheetError) as refused:
        read_sheets({"f.csv": text.encode()})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER.encode() + b"acme,w,M\xfcller,,,\n", "f.csv: line 2 holds the byte 0xfc, which is no UTF-8"),
        (HEADER.encode("utf-16"), 'f.csv: is UTF-16; save it as "CSV UTF-8"'),
    ],
    ids=["Latin-1", "UTF-16"],
)
def test_another_encoding_is_refused_with_what_to_save_it_as(content: bytes, said: str) -> None:
    with pytest.raises(SheetError, match=said):
        read_sheets({"f.csv": content})


def test_all_that_is_wrong_in_all_files_is_told_at_once() -> None:
    with pytest.raises(SheetError) as refused:
        read_sheets(
            {
                "a.csv": (PLAN + "CC-1,2026-11,x,usd\nCC-2,soon,1,USD\n").encode(),
                "b.csv": (PLAN + "CC-3,2026-11,1,USD\nCC-3,2026-11,2,USD\n").encode(),
            }
        )
    assert [line.split(": ")[0] for line in str(refused.value).splitlines()] == [
        *("a.csv:2", "a.csv:2", "a.csv:3"),
        "b.csv:2 and b.csv:3",
    ]


def test_a_file_of_another_kind_than_the_verb_takes_is_refused() -> None:
    with pytest.raises(
        SheetError, match=r"f.csv: line 1: the column amount is missing.*header cost_centre,month"
    ):
        read_sheets({"f.csv": b"cost_centre,month,currency\n"}, [PLANS])
    with pytest.raises(SheetError, match="the column 'owner' is unknown"):
        read_sheets({"f.csv": HEADER.encode()}, [PLANS])


def test_what_nobody_filled_in_and_what_the_policy_file_says_is_left_out_and_counted() -> None:
    text = (
        HEADER.replace("\n", ",source\n")
        + "acme,a,,,,,\nacme,b,docs,,,,policies\nacme,writer,docs,CC-1,2026-11-16,,\n"
    )
    sheet = read_sheets({"f.csv": text.encode()})
    assert (sheet.lines, sheet.unfilled, sheet.of_policies) == ({"workloads": [ONE]}, 1, 1)


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8).filter(
    # What is cut off round a cell.
    lambda text: text == text.strip() and text
)


@example([("'=1", "''+1", "'")])
@given(st.lists(st.tuples(names, names, names), max_size=5, unique_by=lambda each: each[:2]))
def test_what_is_exported_is_imported_unchanged(pairs: list[tuple[str, str, str]]) -> None:
    lines = [Workload(tenant, workload, owner, None, date(2026, 11, 16)) for tenant, workload, owner in pairs]
    text = text_of(tuple(WORKLOADS.fields), [written(WORKLOADS, line) for line in lines])
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row if cell]
    assert not any(cell[0] in "=+-@" for cell in cells)
    assert read_sheets({"f.csv": text.encode()}).lines == {"workloads": lines}
