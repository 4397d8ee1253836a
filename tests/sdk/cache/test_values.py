"""Values of a text: one however it is written, another where it stands for something else, none where it is wording."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.wording.values import values


def found(text: str) -> list[tuple[str, str]]:
    return [(each.kind, each.value) for each in sorted(values(text))]


@pytest.mark.parametrize(
    ("texts", "kind", "value"),
    [
        pytest.param(
            [
                "due 2026-03-03",
                "due March 3, 2026",
                "due 3 March 2026",
                "due the 3rd of March 2026",
                "due 2026/3/3",
            ],
            "date",
            "2026-03-03",
            id="a date",
        ),
        pytest.param(["due March 3", "due 3 March", "due Mar 3rd"], "date", "-03-03", id="a day of any year"),
        pytest.param(["in March 2026", "in 2026-03", "in Mar 2026"], "month", "2026-03", id="a month"),
        pytest.param(
            ["in Q3 2025", "in 2025-Q3", "in the third quarter of 2025"], "quarter", "2025-q3", id="a quarter"
        ),
        pytest.param(["at 3 pm", "at 15:00", "at 3:00 p.m."], "time", "15:00", id="a time"),
        pytest.param(["on Friday", "on fridays"], "weekday", "friday", id="a weekday"),
        pytest.param(["pay 1,200.00", "pay 1200", "pay 1.2k"], "number", "1200", id="a number"),
        pytest.param(["three users", "3 users"], "number", "3", id="a number in words"),
        pytest.param(["twenty-five users", "25 users"], "number", "25", id="a longer one"),
        pytest.param(["by 5%", "by 5 percent", "by 5 per cent"], "share", "5", id="a share"),
        pytest.param(["pay INV-123", "pay inv-123"], "id", "INV-123", id="an id"),
        pytest.param(["order #4711"], "id", "4711", id="an id by its mark"),
        pytest.param(["use v1.2.3", "use 1.2.3"], "version", "1.2.3", id="a version"),
        pytest.param(["ask Ann.Lee@x.io"], "address", "ann.lee@x.io", id="an address"),
        pytest.param(["see /var/log/app.log"], "path", "/var/log/app.log", id="a path"),
        pytest.param(["sum customer_id"], "name", "customer_id", id="a name with a line below"),
        pytest.param(['say "good day"', "say “good day”"], "quote", "good day", id="a quotation"),
        pytest.param(["restart payments-api"], "name", "payments-api", id="a compound that is a name"),
        pytest.param(
            ["in 90 minutes", "in 1.5 hours", "in 90min", "in 1.5h"], "duration", "5400", id="a duration"
        ),
        pytest.param(["for an hour", "for one hour", "for 60-minute"], "duration", "3600", id="an hour"),
        pytest.param(["for two years", "for 24 months"], "duration", "24 months", id="years"),
        pytest.param(["the p99", "the 99th percentile"], "percentile", "99", id="a percentile"),
        pytest.param(["36 boxes", "x36 boxes", "36x boxes"], "number", "36", id="so many times"),
        pytest.param(["move 30kg", "move 30 kg"], "number", "30", id="a measure"),
        pytest.param(["read lib/a_b.ts"], "path", "lib/a_b.ts", id="a path without a beginning"),
        pytest.param(["on my-labs.acme.org"], "name", "my-labs.acme.org", id="a host with a dash"),
        pytest.param(["from: Basic; to it"], "name", "basic", id="all that a label says"),
    ],
)
def test_a_value_is_one_however_it_is_written(texts: list[str], kind: str, value: str) -> None:
    assert [found(text) for text in texts] == [[(kind, value)]] * len(texts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("due 2026-03-03", "due 2026-03-04", id="a day later"),
        pytest.param("pay 120", "pay 1200", id="ten times as much"),
        pytest.param("pay 5", "pay -5", id="the sign"),
        pytest.param("by 5", "by 5%", id="a number is no share"),
        pytest.param("pay $5", "pay €5", id="the currency"),
        pytest.param("pay INV-123", "pay INV-124", id="ids"),
        pytest.param("restart payments-api", "restart payments-web", id="services"),
        pytest.param("find Acme", "find Globex", id="names"),
        pytest.param('say "yes"', 'say "no"', id="quotations"),
        pytest.param("at 3 pm", "at 3 am", id="halves of a day"),
        pytest.param("in the months of 2024", "in the months of 2025", id="years before months"),
        pytest.param("in 5 months", "in 5 days", id="months and days"),
        pytest.param("3 MXN in NZD", "3 MXN in PLN", id="codes of currencies"),
        pytest.param("on api.acme.co.uk: why?", "on api.acme.co: why?", id="hosts before a mark"),
        pytest.param("wait two three hours", "wait five hours", id="a row of numbers is no duration"),
        pytest.param("in 60W", "in 60 weeks", id="watts and weeks"),
        pytest.param("Q1-3", "Q1, 3", id="quarters in a row"),
        pytest.param("say ''", "say", id="nothing, quoted"),
        pytest.param("due 03/04/2026", "due 2026-03-04", id="a date that may mean two things"),
    ],
)
def test_values_that_differ_are_told_apart(one: str, other: str) -> None:
    assert found(one) != found(other)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Invoices are paid. Orders are sent", id="capitals of sentences"),
        pytest.param("- Find it\n- Check it", id="capitals of items"),
        pytest.param("the follow-up of a past-due bill", id="everyday compounds"),
        pytest.param("the SQL of the EU", id="abbreviations"),
        pytest.param("you may go", id="a month that is a word"),
        pytest.param("I said so", id="I"),
        pytest.param("May unused days be kept?", id="a month that asks"),
        pytest.param("the users' and the teams' list", id="apostrophes"),
        pytest.param("list the stopped ones", id="ones that are no seconds"),
        pytest.param("Deregister it. Unmatch it", id="verbs with a first part"),
    ],
)
def test_wording_is_no_value(text: str) -> None:
    assert found(text) == []


def test_an_amount_is_its_currency_and_its_number() -> None:
    assert (
        sorted(found("pay $1,200"))
        == sorted(found("pay 1200 USD"))
        == [("currency", "USD"), ("number", "1200")]
    )


def test_a_name_within_a_sentence_is_one_by_its_capital() -> None:
    assert found("Show invoices of Acme") == [("name", "acme")]


@given(st.text(alphabet="aB1 -_./#$%\"'`{}[]@:,\n", max_size=60))
def test_values_do_not_overlap_and_stand_in_the_text(text: str) -> None:
    each = sorted(values(text))
    assert all(0 <= it.start < it.end <= len(text) for it in each)
    assert all(one.end <= other.start for one, other in pairwise(each))


@given(st.text(alphabet="aB12.,:/-_#% ()x=<'\"", max_size=40))
def test_no_digit_is_left_out(text: str) -> None:
    taken = {at for each in values(text) for at in range(each.start, each.end)}
    assert all(at in taken for at, letter in enumerate(text) if letter.isdigit())


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
def test_every_date_is_one_in_each_of_its_writings(day: date) -> None:
    month = f"{day:%B}"
    short = f"{day.day:02d}-{month[:3]}-{day.year}"
    for text in (f"{day}", f"{month} {day.day}, {day.year}", f"{day.day} {month} {day.year}", short):
        assert found(f"due {text}") == [("date", f"{day}")]


@given(st.integers(0, 10**12))
def test_thousands_may_be_parted(number: int) -> None:
    assert found(f"pay {number:,}") == found(f"pay {number}") == [("number", str(number))]
