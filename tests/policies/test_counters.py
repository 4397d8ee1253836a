"""Rolling sums: never below the truth, and above it by at most one bucket."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from policies.counters import LifetimeSum, RollingSum

WINDOW = 60.0
BUCKET = WINDOW / 240

spends = st.lists(
    st.tuples(st.integers(0, 2_000_000), st.integers(0, 300_000)),
    max_size=60,
)


@given(spends)
def test_a_rolling_sum_is_never_below_the_truth_and_at_most_a_bucket_above(
    raw: list[tuple[int, int]],
) -> None:
    rolling = RollingSum(WINDOW)
    added: list[tuple[Decimal, float]] = []
    for amount_micro, at_ms in sorted(raw, key=lambda item: item[1]):
        amount, now = Decimal(amount_micro) / 1_000_000, at_ms / 1000
        rolling.add(amount, now, now)
        added.append((amount, now))

        inside = sum((a for a, at in added if now - WINDOW < at <= now), Decimal(0))
        nearly = sum((a for a, at in added if now - WINDOW - BUCKET <= at <= now), Decimal(0))
        assert inside <= rolling.spent(now) <= nearly
        for length, total in zip((5.0, 15.0, 54.0), (*rolling.lately(now), rolling.kept(now)), strict=True):
            inside = sum((a for a, at in added if now - length < at <= now), Decimal(0))
            nearly = sum((a for a, at in added if now - length - BUCKET <= at <= now), Decimal(0))
            assert inside <= total <= nearly


@given(spends)
def test_what_is_taken_back_leaves_nothing(raw: list[tuple[int, int]]) -> None:
    rolling = RollingSum(WINDOW)
    now = 400.0
    for amount, at_ms in raw:
        rolling.add(Decimal(amount), at_ms / 1000, now)
    for amount, at_ms in raw:
        rolling.add(-Decimal(amount), at_ms / 1000, now)
    assert rolling.spent(now) == 0


def test_what_is_kept_is_what_will_not_have_left_at_the_horizon() -> None:
    rolling = RollingSum(WINDOW)
    rolling.add(Decimal(3), at=0.0, now=50.0)
    rolling.add(Decimal(4), at=40.0, now=50.0)

    # The horizon is a tenth of the window, 6 s: at 50 s all of it will be kept then, at 55 s no longer.
    assert rolling.spent(50.0) == rolling.kept(50.0) == 3 + 4
    assert (rolling.spent(55.0), rolling.kept(55.0)) == (3 + 4, 4)
    # The last quarter is 15 s, the last twelfth 5 s.
    assert rolling.lately(54.0) == (0, 4)


def test_what_is_older_than_the_window_is_not_taken_in() -> None:
    rolling = RollingSum(WINDOW)
    rolling.add(Decimal(3), at=0.0, now=61.0)
    assert rolling.spent(61.0) == 0


def test_a_lifetime_sum_keeps_everything() -> None:
    lifetime = LifetimeSum()
    lifetime.add(Decimal(3), at=0.0, now=0.0)
    lifetime.add(Decimal(4), at=1e6, now=1e6)
    assert lifetime.spent(1e9) == lifetime.kept(1e9) == 3 + 4
