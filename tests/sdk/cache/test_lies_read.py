"""Two requests that are all but alike and want different answers are never read as one, nor as nearly certainly one."""

from __future__ import annotations

import time
from decimal import localcontext

import pytest

from switchgear.cache.wording.comparing import placing
from switchgear.cache.wording.reading import LONGEST, read
from switchgear.cache.wording.score import Seen, first_guess, score

VALUES = {
    "another id": ("Where is order A-17?", "Where is order A-18?"),
    "another number": ("Explain error 1200", "Explain error 1201"),
    "another date": ("Show sales of March 3, 2026", "Show sales of March 4, 2026"),
    "another month in small letters": ("Show sales of june", "Show sales of july"),
    "another name": ("Where does Ann Lee work?", "Where does Bob Lee work?"),
    "another time of a day": ("List errors at 2026-03-04T10:00:00Z", "List errors at 2026-03-04T15:00:00Z"),
    "another second": ("List errors at 10:00:01", "List errors at 10:00:59"),
    "another digit of a long number": (f"Show account {'1' * 31}2", f"Show account {'1' * 31}3"),
    "a code that begins with 0": ("Show account 00123", "Show account 123"),
    "a section, not a fraction": ("Read section 2.10 to me", "Read section 2.1 to me"),
    "minutes, not millions": ("Wait for 5m, then go", "Wait for 5 million, then go"),
    "digits in a row": ("My code is two three four", "My code is four three two"),
    "a digit in a row": ("Look at rooms two three", "Look at rooms five"),
    "another path at the same host": ("Open https://a.example/aB", "Open https://a.example/Ab"),
    "another sign between numbers": ("Calculate 5 + 3", "Calculate 5 * 3"),
    "a minus between numbers": ("Calculate 5 - 3", "Calculate 5, 3"),
    "the other relation": ("Is x > 5 allowed?", "Is x < 5 allowed?"),
    "equal and unequal": ("Explain a == b here", "Explain a != b here"),
    "a minus before a number": ("Set the level to -5", "Set the level to 5"),
    "a minus that is a dash": ("Set the level to \N{EN DASH}5", "Set the level to 5"),
    "a plus before a number": ("Change it by +5", "Change it by -5"),
    "another language of that letter": ("Print a line in C", "Print a line in C++"),
    "a language by its sharp": ("Print a line in C#", "Print a line in C"),
    "another picture": ("What does 🙂 mean?", "What does 🙁 mean?"),
    "another fraction": ("Take ½ of it", "Take ¼ of it"),
    "another power": ("Explain x² to me", "Explain x³ to me"),
    "another weight": ("Ship 2.5kg to Oslo", "Ship 2.7kg to Oslo"),
    "another number of hours": ("Wait 1.5h, then go", "Wait 1.7h, then go"),
    "hours and minutes": ("Show errors of the last 40 hours", "Show errors of the last 40 min"),
    "another id behind a dot": ("Post it to account GL.2132", "Post it to account GL.8198"),
    "another build": ("Install v1.2b3 there", "Install v1.2b4 there"),
    "another table that ends a sentence": ("Count rows of staging.clicks.", "Count rows of staging.orders."),
    "another percentile": ("Show the p95 latency", "Show the 99th-percentile latency"),
    "another pair of relations": ("Show x where a >= 5", "Show x where a > 5"),
    "another value of a label": (
        '{"task": "get_quote", "size": "30 m"}',
        '{"task": "get_quote", "size": "40 m"}',
    ),
    "money that is owed": ("Pay -$5 to Ann", "Pay $5 to Ann"),
    "days back": ("Move it by -30 days", "Move it by 30 days"),
    "less than nothing": ("Compute .5 of it", "Compute -.5 of it"),
    "a factorial": ("Compute 5! of it", "Compute 5 of it"),
    "a factor": ("Scale the workers 2x", "Scale the workers 2"),
    "per mille": ("Charge 5‰ of it", "Charge 5 of it"),
    "feet and inches": ("Cut a 5' board", 'Cut a 5" board'),
    "minutes behind a dot": ("Meet at 3.30 pm", "Meet at 3.42 pm"),
    "an hour that is none": ("Meet at 25 pm", "Meet at 1 pm"),
    "dimensions, not days": ("Render it in 3D", "Render it in 3 days"),
    "an id that ends as hours do": ("Show part sku-57-h", "Show part sku-57 hours"),
    "a quarter in a name": ("Show campaign sale-q3", "Show campaign sale of Q3"),
    "a list, not thousands": ("Show orders 4711,815 now", "Show orders 4711815 now"),
    "another mark to split by": ("Split it by ','", "Split it by ';'"),
    "a space and nothing": ('Join the words by " "', 'Join the words by ""'),
    "an open interval": ("Is x in [5, 10)?", "Is x in (5, 10]?"),
    "what is reckoned first": ("Compute (2 + 3) * 4", "Compute 2 + (3 * 4)"),
    "brackets behind a minus": ("Compute 2 - (3 - 4)", "Compute 2 - 3 - 4"),
    "a range and a list": ("Read lines 5\N{EN DASH}10 to me", "Read lines 5, 10 to me"),
    "a range by another hyphen": ("Read lines 5\N{NON-BREAKING HYPHEN}10 to me", "Read lines 5, 10 to me"),
    "a rating with a minus": ("Explain the rating BBB- here", "Explain the rating BBB here"),
    "another option of a command": ("Explain ls -l to me", "Explain ls -L to me"),
    "another class of a pattern": (r"What does \d match?", r"What does \D match?"),
    "another schedule": ("Run it at */5 * * * * from now on", "Run it at * */5 * * * from now on"),
    "a name with lines below": ("Explain __init__ to me", "Explain init to me"),
    "another path without a scheme": ("Open a.example/aB now", "Open a.example/Ab now"),
    "another Irish name": ("Ask about O'Brien today", "Ask about O'Neil today"),
    "whose address a step is about": ("step: ann_lee@a.example pays", "step: bob_lee@a.example pays"),
    "the number in a step's name": ("step: order_17 is late", "step: order_18 is late"),
    "the number of a key": ('{"a": {"b": 1}, "line1": "x"}', '{"a": {"b": 1}, "line2": "x"}'),
    "a number that a process would round": (f"Show {'1' * 31}2k rows", f"Show {'1' * 31}3k rows"),
}
PLACES = {
    "names": ("Ship it from Oslo to Rome", "Ship it from Rome to Oslo"),
    "numbers": ("Compute log 8 to base 2", "Compute log 2 to base 8"),
    "quarters": ("Show revenue of Q1, costs of Q2", "Show revenue of Q2, costs of Q1"),
    "currencies": ("Pay 100 dollars to Ann, 200 euros to Bob", "Pay 100 euros to Ann, 200 dollars to Bob"),
    "one of three": ("Pay 5 to A1, 7 to B2, 5 to C3", "Pay 5 to A1, 7 to B2, 7 to C3"),
}
OPPOSITES = {
    "negation": ("Is the invoice paid?", "Is the invoice not paid?"),
    "a negation by its ending": ("Isn't the invoice paid?", "Is the invoice paid?"),
    "antonym": ("Increase the limit", "Decrease the limit"),
    "opening and closing": ("When does the shop open?", "When does the shop close?"),
    "an antonym by its prefix": ("Which customers are active?", "Which customers are inactive?"),
    "only and except": ("Show only cancelled orders", "Show all orders except cancelled"),
    "before and after": ("Show orders before March 3", "Show orders after March 3"),
    "at least and at most": ("Is it at least 5?", "Is it at most 5?"),
    "first and last": ("Show the first item", "Show the last item"),
    "must and may": ("Must it be signed?", "May it be signed?"),
    "no less and no more": ("Show flats for no less than $900", "Show flats for no more than $900"),
    "no later and no earlier": ("Send it no later than Friday", "Send it no earlier than Friday"),
    "the other relation in words": ("Is the load > 5?", "Is the load below 5?"),
}
OTHERWISE = {
    "a word of manners that is meant": ("How do you say hello?", "How do you say thanks?"),
    "a word of manners in a sentence": ("Say hello in Spanish", "Say thanks in Spanish"),
    "marks that are vowels": ("दिन का अर्थ", "दान का अर्थ"),
    "a sign of many in a language without spaces": ("今天天气怎么样", "明天天气怎么样"),
    "names in small letters": ("show the balance of marta", "show the balance of maria"),
    "names that nobody knows": ("explain the function foobar", "explain the function foobaz"),
    "signs of reckoning between words": ("compute price * quantity", "compute price / quantity"),
    "signs of reckoning between letters": ("compute a-b", "compute a/b"),
    "signs of reckoning before a number": ("compute x*2", "compute x/2"),
    "two ways to change it": ("explain a *= 2", "explain a /= 2"),
    "a greeting in a language": ("hi in Japanese", "hey in Japanese"),
    "no flag and a flag": ("is !active set", "is active set"),
    "assigned and equal": ("explain a == b", "explain a = b"),
    "a condition in brackets": ("show a = b and (c or d)", "show a = b and c or d"),
    "what belongs to what": ('{"a": {"x": 1}, "b": 2} done?', '{"a": {"x": 1, "b": 2}} done?'),
    "any ending": ("list a* here", "list a here"),
    "one less": ("explain i-- here", "explain i here"),
    "the folder above": ("run cd .. now", "run cd now"),
    "a country and some people": ("Show the orders of US", "Show the orders of us"),
    "more than a number at the beginning": ("> 5 items: which discount?", "5 items: which discount?"),
    "not only": ("Show not only paid orders", "Show paid orders"),
    "manners that are to be translated": ("Translate to German: please go", "Translate to German: go"),
    "thanks that are to be translated": ("Translate it: I go, thanks", "Translate it: I go, regards"),
    "a word of manners that is asked for": ("What is French for please?", "What is French for kindly?"),
    "an accent": ("where is my resumé", "where is my resume"),
}
ONE = {
    "thousands": ("Explain error 1,200", "Explain error 1200"),
    "cents that are none": ("Pay 1,200.00 now", "Pay 1200 now"),
    "a number in words": ("Pay two thousand five hundred euros", "Pay 2500 euros"),
    "a date": ("Show sales of March 3, 2026", "Show sales of 2026-03-03"),
    "a time": ("Call me at 3 pm", "Call me at 15:00"),
    "an address": ("Write to ann@a.example", "Write to Ann@A.example"),
    "capitals": ("SHOW the invoice", "show the invoice"),
    "marks": ("Show the invoice!", "Show the invoice."),
    "emphasis": ("Show **this** invoice", "Show this invoice"),
    "manners": ("Hello, could you please show it? Thanks!", "could you show it"),
    "minutes and hours": ("Show errors of the last 60 minutes", "Show errors of the last 1 hour"),
    "hours and days": ("Show errors of the last 48h", "Show errors of the last two days"),
    "a percentile": ("Show the p99 latency", "Show the 99th percentile latency"),
    "a relation in words": ("Is the load > 5?", "Is the load above 5?"),
    "a limit in words": ("Show flats for no more than $900", "Show flats for at most $900"),
    "thousands of them": ("Pay 1.2k to Ann", "Pay 1200 to Ann"),
    "so many of them": ("Send 36x boxes", "Send x36 boxes"),
    "a fraction": ("Pay 0.5 to Ann", "Pay .5 to Ann"),
    "a greeting": ("Good morning team, where is my order? Kind regards", "where is my order"),
    "a quoted id": ("Show order 'A-17'", "Show order A-17"),
    "a day with its month between dashes": ("Show sales of 03-Mar-2026", "Show sales of 2026-03-03"),
    "a step's name": ("task: find_order", "task: find order"),
    "dollars by their country": ("Pay CA$5 to Ann", "Pay CAD 5 to Ann"),
    "how a letter is composed": ("Où est le café?", "Ou\u0300 est le cafe\u0301?"),
}


def likelihood(one: str, other: str) -> float:
    """Of two texts, by their words, where no model tells them apart; 0 where their values differ."""
    a, b = read(one), read(other)
    assert a is not None
    assert b is not None
    return score(first_guess(a, b, 1.0), Seen()) if a.comparable(b) else 0.0


def cases(table: dict[str, tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("one", "other"), table.values(), ids=table)


@cases(VALUES)
def test_texts_with_another_value_are_never_compared(one: str, other: str) -> None:
    assert likelihood(one, other) == 0


@cases(PLACES)
def test_values_in_each_others_places_are_unlikely_to_mean_the_same(one: str, other: str) -> None:
    assert likelihood(one, other) < 0.1
    a, b = read(one), read(other)
    assert a is not None
    assert b is not None
    # What is learned of the one is not learned of the other.
    assert placing(a, b)


@cases(OPPOSITES)
def test_opposites_are_unlikely_to_mean_the_same_however_near_they_are(one: str, other: str) -> None:
    assert likelihood(one, other) < 0.2


@cases(OTHERWISE)
def test_texts_with_another_word_are_not_the_same_words(one: str, other: str) -> None:
    assert likelihood(one, other) < 0.95


@cases(ONE)
def test_texts_that_only_write_it_otherwise_are_one(one: str, other: str) -> None:
    assert likelihood(one, other) > 0.999


@pytest.mark.parametrize(
    "piece",
    [
        "a-",
        "A-B",
        "[{",
        "a@",
        "a.",
        "two ",
        "1,111",
        "'a ",
        "ि",
        "🙂",
        "hi, ",
        "two-",
        "_",
        "\\",
        "a--",
        '5" ',
        "* ",
        "(a ",
        "a*",
    ],
)
def test_a_text_is_read_in_time_whatever_it_is(piece: str) -> None:
    begun = time.process_time()
    read((piece * LONGEST)[:LONGEST])
    assert time.process_time() - begun < 0.25


def test_nothing_is_rounded_whatever_the_program_reckons_with() -> None:
    with localcontext(prec=3):
        assert likelihood("Show 12345k rows", "Show 12346k rows") == 0
        assert likelihood("Wait 123456 hours there", "Wait 123457 hours there") == 0


@pytest.mark.parametrize("written", ["٣", "\uff13", "三", "Ⅲ", "③"])
def test_digits_of_other_scripts_are_told_apart(written: str) -> None:
    assert likelihood(f"Show item {written} to me", f"Show item {chr(ord(written) + 1)} to me") < 0.95
