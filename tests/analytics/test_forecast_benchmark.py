"""Forecasts of made months: the band holds what it says it does, and the middle is better than a flat run rate."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from forecast import Judged, Series, judged, made, table

OCTOBER = (date(2026, 10, 1), date(2026, 11, 1))


@pytest.fixture(scope="module")
def october() -> list[Judged]:
    return list(judged(made(60, seed=11), *OCTOBER, (3, 10, 17, 24)))


def test_the_band_of_80_per_cent_holds_about_as_many(october: list[Judged]) -> None:
    assert len(october) == 240
    assert 0.70 <= np.mean([each.inside for each in october]) <= 0.92
    assert max(np.mean([each.below for each in october]), np.mean([_above(each) for each in october])) <= 0.2


def _above(each: Judged) -> bool:
    return not each.inside and not each.below


def test_a_history_of_days_has_a_band_that_holds_more_and_not_less() -> None:
    june = list(judged(made(60, seed=11), date(2026, 6, 1), date(2026, 7, 1), (3, 10, 17)))
    assert all(each.cold for each in june)
    assert np.mean([each.inside for each in june]) >= 0.85


def test_the_middle_is_nearer_than_the_flat_run_rate(october: list[Judged]) -> None:
    error, naive = (np.median([getattr(each, what) for each in october]) for what in ("error", "naive"))
    assert error < naive


def test_the_band_narrows_as_the_month_passes(october: list[Judged]) -> None:
    widths = [np.median([each.width for each in october if each.asked == asked]) for asked in (3, 10, 17, 24)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 2


def test_a_steady_series_is_forecast_without_error_by_both() -> None:
    (found,) = judged([Series(np.full(2 * 153, 5.0))], *OCTOBER, (10,))
    assert (found.error, found.naive) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    assert found.inside


def test_what_is_made_is_the_same_for_a_seed_and_told_in_a_line_for_each_day(october: list[Judged]) -> None:
    one, other = (next(made(1, seed=5)).halves for _ in range(2))
    assert (one == other).all()
    assert len(list(table("t", october))) == 2 + 4 + 1
