"""Written by `benchmarks/projection_fit.py`: do not edit, run it with `--write`.

From the first week of 86 thin tenants made from ServeGen's m-mid and m-small clients (`projection_streams`), by
the forecasts' own errors there. Keys are lengths in seconds. Rows are quantiles .05, .2, .5, .8, .95 of z.
"""

from __future__ import annotations

from .quantiles import Row

__all__ = ["CALENDAR_ROWS", "GUESS_ERRORS", "RATE_ERRORS", "ROLLING_ROWS"]

RATE_ERRORS: dict[float, Row] = {
    300.0: (0.457, 0.463, 0.494, 0.491, 0.558),
    3600.0: (0.246, 0.233, 0.271, 0.328, 0.408),
    86400.0: (0.258, 0.318, 0.348, 0.275, 0.391),
}

ROLLING_ROWS: dict[float, tuple[Row, ...]] = {
    300.0: (
        (-2.073, -1.413, -0.320, 0.710, 2.438),  # stopping, low: 788738 forecasts
        (-2.849, -2.147, -0.430, 0.792, 1.872),  # stopping, usual: 1710614 forecasts
        (-3.368, -2.116, -0.284, 0.695, 1.550),  # stopping, high: 592425 forecasts
        (-1.536, -0.786, -0.102, 0.217, 2.370),  # falling, low: 418971 forecasts
        (-2.903, -1.737, -0.212, 0.648, 1.345),  # falling, usual: 580896 forecasts
        (-3.316, -1.216, -0.137, 0.553, 1.122),  # falling, high: 387536 forecasts
        (-1.908, -0.747, -0.046, 0.113, 2.049),  # steady, low: 258160 forecasts
        (-3.010, -1.826, -0.214, 0.558, 1.214),  # steady, usual: 726632 forecasts
        (-3.436, -1.225, -0.197, 0.436, 0.972),  # steady, high: 507392 forecasts
        (-2.457, -2.035, -0.736, 0.447, 1.509),  # rising, low: 138884 forecasts
        (-3.233, -2.378, -0.372, 0.460, 1.098),  # rising, usual: 761563 forecasts
        (-3.742, -1.564, -0.385, 0.308, 0.853),  # rising, high: 438366 forecasts
        (-3.343, -2.739, -1.777, 0.138, 1.079),  # surging, low: 191915 forecasts
        (-4.003, -3.213, -0.925, 0.207, 0.896),  # surging, usual: 359304 forecasts
        (-4.782, -3.239, -0.872, 0.052, 0.660),  # surging, high: 107486 forecasts
    ),
    3600.0: (
        (-1.649, -1.052, -0.356, 0.386, 1.378),  # stopping, low: 32002 forecasts
        (-2.527, -1.716, -0.474, 0.281, 1.112),  # stopping, usual: 46495 forecasts
        (-3.267, -2.062, -0.545, 0.263, 1.087),  # stopping, high: 13044 forecasts
        (-1.220, -0.646, -0.153, 0.494, 1.248),  # falling, low: 48763 forecasts
        (-1.237, -0.476, -0.017, 0.353, 0.727),  # falling, usual: 82288 forecasts
        (-1.041, -0.405, -0.013, 0.314, 0.638),  # falling, high: 35418 forecasts
        (-1.278, -0.615, -0.072, 0.354, 1.059),  # steady, low: 54157 forecasts
        (-0.910, -0.394, -0.036, 0.272, 0.584),  # steady, usual: 183384 forecasts
        (-0.733, -0.327, -0.031, 0.228, 0.491),  # steady, high: 100527 forecasts
        (-1.681, -0.959, -0.262, 0.387, 1.036),  # rising, low: 29496 forecasts
        (-1.205, -0.507, -0.078, 0.274, 0.624),  # rising, usual: 70662 forecasts
        (-1.011, -0.433, -0.074, 0.235, 0.567),  # rising, high: 28085 forecasts
        (-2.242, -1.262, -0.103, 0.662, 1.409),  # surging, low: 13128 forecasts
        (-3.282, -0.943, -0.078, 0.444, 0.936),  # surging, usual: 8866 forecasts
        (-4.033, -0.847, -0.031, 0.481, 0.979),  # surging, high: 2019 forecasts
    ),
    86400.0: (
        (-2.280, -1.866, -1.367, -0.563, 0.765),  # stopping, low: 589 forecasts
        (-2.570, -2.055, -1.154, -0.066, 0.737),  # stopping, usual: 5991 forecasts
        (-2.820, -1.974, -0.803, 0.310, 1.322),  # stopping, high: 328 forecasts
        (-1.765, -1.470, -1.153, -0.280, 0.470),  # falling, low: 593 forecasts
        (-1.854, -1.019, -0.323, 0.187, 0.711),  # falling, usual: 4277 forecasts
        (-1.950, -0.581, -0.156, 0.329, 0.773),  # falling, high: 281 forecasts
        (-1.550, -1.236, -0.653, -0.044, 0.633),  # steady, low: 610 forecasts
        (-1.195, -0.432, -0.053, 0.220, 0.565),  # steady, usual: 8840 forecasts
        (-0.816, -0.221, 0.064, 0.325, 0.533),  # steady, high: 876 forecasts
        (-1.623, -0.847, -0.313, 0.189, 0.819),  # rising, low: 530 forecasts
        (-1.098, -0.321, 0.082, 0.391, 0.790),  # rising, usual: 5072 forecasts
        (-1.172, -0.258, 0.118, 0.381, 0.702),  # rising, high: 429 forecasts
        (-1.010, -0.346, 0.213, 0.692, 1.914),  # surging, low: 200 forecasts
        (-2.479, -0.565, 0.161, 0.612, 1.099),  # surging, usual: 906 forecasts
        (-2.192, -1.102, -0.159, 0.256, 0.730),  # surging, high: 145 forecasts
    ),
}

GUESS_ERRORS: dict[float, tuple[tuple[float, float, float, float], ...]] = {
    3600.0: (
        (0.217, 0.221, 0.391, 0.236),
        (0.207, 0.227, 0.398, 0.197),
        (0.206, 0.238, 0.411, 0.188),
        (0.187, 0.256, 0.427, 0.195),
        (0.204, 0.297, 0.455, 0.235),
    ),
    86400.0: (
        (0.295, 0.179, 0.253, 0.376),
        (0.454, 0.182, 0.258, 0.443),
        (0.222, 0.201, 0.276, 0.324),
        (0.239, 0.216, 0.282, 0.264),
        (0.246, 0.242, 0.307, 0.322),
    ),
}

CALENDAR_ROWS: dict[float, tuple[Row, ...]] = {
    3600.0: (
        (-1.213, -0.352, -0.004, 0.271, 0.970),  # 10%: 14096 periods
        (-1.178, -0.336, -0.003, 0.264, 0.925),  # 25%: 14105 periods
        (-1.280, -0.361, -0.007, 0.240, 0.813),  # 50%: 14111 periods
        (-1.244, -0.384, -0.015, 0.225, 0.707),  # 75%: 14114 periods
        (-1.588, -0.527, -0.033, 0.248, 0.710),  # 90%: 14115 periods
    ),
    86400.0: (
        (-1.507, -0.482, -0.015, 0.250, 0.614),  # 10%: 418 periods
        (-1.663, -0.575, 0.014, 0.347, 0.772),  # 25%: 419 periods
        (-1.809, -0.661, -0.114, 0.202, 0.577),  # 50%: 425 periods
        (-1.653, -0.731, -0.166, 0.129, 0.512),  # 75%: 425 periods
        (-1.994, -0.917, -0.256, 0.119, 0.493),  # 90%: 428 periods
    ),
}
