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


def test_a_429_lowers_the_limit_below_what_was_refused_and_it_grows_past_it_ever_faster() -> None:
    learned = Learned(None, floor=6.0)
    assert learned.limit(0.0) is None
    learned.refused(100.0, 0.0, of=0.0)
    # Where nothing is known, K is 5 s: 100 x (1 - 0.15 x (1 - t / 5)^3), and then twice as much each half second.
    assert learned.limit(0.0) == pytest.approx(85.0)
    assert learned.limit(2.5) == pytest.approx(100 * (1 - 0.15 / 8))
    assert learned.limit(5.0) == pytest.approx(100.0)
    assert learned.limit(6.5) == pytest.approx(800.0)
    # A hundred times what was refused is no news of it any more.
    assert learned.limit(12.0) is None


def test_a_rate_that_is_refused_again_and_again_is_tried_ever_more_seldom() -> None:
    learned, now, tried = Learned(None, floor=6.0), 0.0, []
    for _ in range(9):
        learned.refused(100.0, now, of=now)
        # When it allows again what was refused.
        back = next(s for s in range(1, 100) if (learned.limit(now + s) or 0.0) >= 100.0)
        tried.append(back)
        now += back
    # 5 x 1.5^n, up to a minute.
    assert tried == [5, 8, 12, 17, 26, 38, 57, 60, 60]
    # Less than half of it is another limit, which may be gone as soon as it came.
    learned.refused(40.0, now, of=now)
    assert learned.limit(now + 5.0) == pytest.approx(40.0)


def test_a_limit_that_is_restored_by_its_provider_s_own_word_counts_at_once() -> None:
    learned = Learned(3000, floor=6.0)
    learned.report(3000, of=0.0)
    learned.report(300, of=10.0)
    learned.refused(2000.0, 10.0, of=10.0)
    assert learned.limit(10.0) == pytest.approx(0.85 * 300)
    learned.report(3000, of=40.0)
    assert learned.limit(40.0) == 3000.0


def test_headers_above_what_was_declared_end_nothing_that_was_learned() -> None:
    learned = Learned(1000, floor=6.0)
    # Two models in one lane, each with a limit of its own.
    learned.report(5000, of=0.0)
    learned.refused(1000.0, 1.0, of=1.0)
    learned.report(9000, of=2.0)
    assert learned.limit(1.0) == pytest.approx(0.85 * 1000)


def test_a_long_stream_brings_no_limit_back_that_was_cut_while_it_ran() -> None:
    learned = Learned(None, floor=6.0)
    learned.report(3000, of=0.0)
    learned.report(300, of=10.0)
    # It began at 9 s, and says what was true then.
    learned.report(3000, of=9.0)
    assert learned.limit(20.0) == 300.0
    learned.report(3000, of=10.5)
    assert learned.limit(20.0) == 3000.0


def test_refusals_of_calls_that_were_on_their_way_do_not_count_again() -> None:
    learned = Learned(None, floor=6.0)
    for at in (0.0, 0.1, 3.0):
        learned.refused(100.0, at, of=0.0)
    assert learned.limit(0.0) == pytest.approx(85.0)
    # One that went after it does.
    learned.refused(60.0, 4.0, of=3.5)
    assert learned.limit(4.0) == pytest.approx(0.85 * 60)


def test_a_stated_limit_is_never_passed_and_comes_back() -> None:
    learned = Learned(1000, floor=6.0)
    learned.report(600, of=0.0)
    learned.refused(900.0, 0.0, of=0.0)
    assert learned.limit(0.0) == pytest.approx(0.85 * 600)
    assert learned.limit(61.0) == 600.0


def test_a_429_in_a_quiet_minute_takes_three_quarters_at_the_most() -> None:
    learned = Learned(1000, floor=6.0)
    learned.refused(2.0, 0.0, of=0.0)
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
        learned.refused(used, now, of=now)
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
    assert served >= 0.9 * 9000
    assert refused <= 0.01 * served


@pytest.mark.parametrize("believed", [3000, None], ids=["declared", "undeclared"])
def test_a_limit_that_was_cut_for_half_a_minute_is_found_again_without_a_word(believed: int | None) -> None:
    """50 requests a second, 5 of them from 20 s to 50 s, 35 are wanted: nothing is said but 429."""
    lane = Lane(Capacity("p", believed, None))
    level, at, waiting = 250.0, 0.0, 0.0
    served, refused = [0] * 100, [0] * 100
    for step in range(100 * 50):
        now, waiting = step / 50, waiting + 35 / 50
        true_rate = 5.0 if 20.0 <= now < 50.0 else 50.0
        while waiting >= 1.0 and lane.admits(now):
            taken = lane.take(10, now)
            level, at = min(5 * true_rate, level + (now - at) * true_rate), now
            if level >= 1.0:
                level, waiting = level - 1.0, waiting - 1.0
                served[int(now)] += 1
            else:
                refused[int(now)] += 1
                lane.throttled(now, 1.0)
                lane.settle(taken, 0, now)
    # 5 x 30, and the burst of 25 that it began with.
    assert sum(served[20:50]) >= 0.85 * (150 + 25)
    assert sum(refused) <= 0.1 * sum(served[20:])
    # Half a minute after it was restored, all of the limit is used.
    assert sum(served[75:85]) >= 0.9 * 10 * 50
