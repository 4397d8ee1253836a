"""A provider's limits: what headers say, and what 429s teach where they say nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.capacity import Lane, Quota, Reported, parse
from policies.capacity.limits import Learned
from policies.model import Capacity

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC).timestamp()

OPENAI = {
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-limit-tokens": "2000000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-remaining-tokens": "1999500",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-reset-tokens": "15ms",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-requests-reset": "2026-11-24T12:00:01Z",
    "anthropic-ratelimit-input-tokens-limit": "400000",
    "anthropic-ratelimit-input-tokens-remaining": "0",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-24T12:00:41Z",
    "anthropic-ratelimit-output-tokens-limit": "80000",
    "anthropic-ratelimit-output-tokens-remaining": "79000",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-24T12:00:01Z",
    "retry-after": "12",
}
AZURE = {
    "Retry-After": "3",
    "retry-after-ms": "2750",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-remaining-tokens": "118000",
    "x-ratelimit-reset-requests": "3",
}
# Its requests are per day: 30 of 14,400 are back in 30 x 86400 / 14400 = 180 s.
GROQ = {
    "x-ratelimit-limit-requests": "14400",
    "x-ratelimit-limit-tokens": "18000",
    "x-ratelimit-remaining-requests": "14370",
    "x-ratelimit-remaining-tokens": "17997",
    "x-ratelimit-reset-requests": "2m59.56s",
    "x-ratelimit-reset-tokens": "7.66s",
    "retry-after": "2",
}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        pytest.param(
            OPENAI, Reported(Quota(10000, 9999, 0.006), Quota(2_000_000, 1_999_500, 0.015)), id="openai"
        ),
        pytest.param(
            ANTHROPIC,
            Reported(
                Quota(4000, 3999, 1.0),
                input_tokens=Quota(400_000, 0, 41.0),
                output_tokens=Quota(80_000, 79_000, 1.0),
                retry_after_s=12.0,
            ),
            id="anthropic",
        ),
        pytest.param(
            AZURE,
            Reported(Quota(None, 0, 3.0), Quota(None, 118_000, None), retry_after_s=2.75),
            id="azure: milliseconds are the more exact",
        ),
        pytest.param(
            GROQ,
            Reported(Quota(14400, 14370, 179.56), Quota(18000, 17997, 7.66), retry_after_s=2.0),
            id="groq",
        ),
        pytest.param({}, Reported(), id="nothing"),
        pytest.param(
            {"Retry-After": "Tue, 24 Nov 2026 12:00:30 GMT"}, Reported(retry_after_s=30.0), id="a moment"
        ),
        pytest.param({"retry-after": "86400"}, Reported(retry_after_s=3600.0), id="an hour at most"),
        pytest.param(
            {
                "retry-after": "soon",
                "x-ratelimit-limit-requests": "many",
                "x-ratelimit-reset-requests": "-3s",
            },
            Reported(),
            id="what cannot be read",
        ),
    ],
)
def test_headers_of_a_provider_are_read(headers: dict[str, str], said: Reported) -> None:
    assert parse(headers, NOW) == said


@pytest.mark.parametrize(
    ("headers", "requests", "tokens"),
    [
        pytest.param(OPENAI, 10000, 2_000_000, id="openai"),
        pytest.param(ANTHROPIC, 4000, 400_000 + 80_000, id="anthropic: input and output"),
        pytest.param(AZURE, None, None, id="azure: no limit is named"),
        pytest.param(GROQ, None, 18000, id="groq: requests are per day"),
    ],
)
def test_only_what_can_be_a_limit_per_minute_counts_as_one(
    headers: dict[str, str], requests: int | None, tokens: int | None
) -> None:
    said = parse(headers, NOW)
    assert (said.requests.per_minute(), said.tokens_per_minute) == (requests, tokens)


def test_headers_tell_which_limit_was_hit() -> None:
    assert parse(ANTHROPIC, NOW).exhausted == {"tokens"}
    assert parse(AZURE, NOW).exhausted == {"requests"}
    assert parse(OPENAI, NOW).exhausted == set()


NAMES = st.sampled_from([*OPENAI, *ANTHROPIC, *AZURE])
VALUES = st.one_of(
    st.text(max_size=30), st.sampled_from(["nan", "inf", "-1", "1e999", "0001-01-01T00:00:00Z", "٣s", "1_0"])
)


@settings(max_examples=60)
@given(st.dictionaries(NAMES, VALUES))
def test_no_header_breaks_the_reading(headers: dict[str, str]) -> None:
    said = parse(headers, NOW)
    for quota in (said.requests, said.tokens, said.input_tokens, said.output_tokens):
        assert all(value is None or value >= 0 for value in (quota.limit, quota.remaining, quota.reset_s))


# -- learning


def test_a_429_lowers_the_limit_below_what_was_refused_and_a_minute_later_it_is_back_there() -> None:
    learned = Learned(None, floor=6.0)
    assert learned.limit(0.0) is None
    learned.refused(100.0, 0.0)
    # 100 x (1 - 0.15 x (1 - t / 60)^3)
    assert learned.limit(0.0) == pytest.approx(85.0)
    assert learned.limit(30.0) == pytest.approx(100 * (1 - 0.15 / 8))
    assert learned.limit(60.0) == pytest.approx(100.0)
    assert learned.limit(120.0) == pytest.approx(115.0)
    assert learned.limit(600.0) is None


def test_refusals_of_calls_that_were_on_their_way_do_not_count_again() -> None:
    learned = Learned(None, floor=6.0)
    for at in (0.0, 0.1, 3.0):
        learned.refused(100.0, at)
    assert learned.limit(0.0) == pytest.approx(85.0)


def test_a_stated_limit_is_never_passed_and_comes_back() -> None:
    learned = Learned(1000, floor=6.0)
    learned.report(600)
    learned.refused(900.0, 0.0)
    assert learned.limit(0.0) == pytest.approx(0.85 * 600)
    assert learned.limit(61.0) == 600.0


def test_a_429_in_a_quiet_minute_takes_three_quarters_at_the_most() -> None:
    learned = Learned(1000, floor=6.0)
    learned.refused(2.0, 0.0)
    assert learned.limit(0.0) == pytest.approx(250.0)


@settings(max_examples=60)
@given(
    st.one_of(st.none(), st.integers(1, 10_000)),
    st.lists(st.tuples(st.floats(0, 20_000), st.floats(0, 90)), max_size=30),
)
def test_a_limit_stays_between_its_floor_and_what_was_declared_and_recovers(
    declared: int | None, refusals: list[tuple[float, float]]
) -> None:
    learned, now = Learned(declared, floor=6.0), 0.0
    least = 6.0 if declared is None else min(6.0, declared)
    for used, after in refusals:
        now += after
        learned.refused(used, now)
        limit = learned.limit(now)
        assert limit is not None
        assert limit >= least - 1e-9
        assert declared is None or limit <= declared
    assert learned.limit(now + 3600.0) == declared


@pytest.mark.parametrize("believed", [1200, None], ids=["declared-four-times-too-high", "undeclared"])
def test_a_lane_finds_the_true_limit_and_uses_it(believed: int | None) -> None:
    """A provider of 300 requests a minute that says nothing but 429; demand without end, for 30 minutes."""
    lane, true_rate = Lane(Capacity("p", believed, None)), 300 / 60
    level, at = 5.0, 0.0
    served = refused = 0
    for step in range(30 * 60 * 10):
        now = step / 10
        asked = 0
        while lane.admits(now) and asked < 3:
            asked += 1
            taken = lane.take(10, now)
            level, at = min(5.0, level + (now - at) * true_rate), now
            if level >= 1.0:
                level -= 1.0
                served += 1
            else:
                refused += 1
                lane.throttled(now, 1.0)
                lane.settle(taken, 0, now)
    # 9,000 are possible.
    assert served >= 0.8 * 9000
    assert refused <= 0.02 * served
