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
        (-2.898, -1.998, -0.500, 0.703, 1.760),  # stopping: 2890451 forecasts
        (-2.882, -1.323, -0.204, 0.604, 1.397),  # falling: 1105680 forecasts
        (-3.038, -1.524, -0.190, 0.545, 1.192),  # steady: 1154141 forecasts
        (-3.234, -1.981, -0.333, 0.465, 1.112),  # rising: 1119058 forecasts
        (-3.763, -2.942, -0.983, 0.247, 0.952),  # surging: 548746 forecasts
        (-3.403, -2.437, -0.769, 0.424, 1.579),  # stopping, high: 201326 forecasts
        (-3.383, -1.880, -0.387, 0.414, 1.049),  # falling, high: 99358 forecasts
        (-3.474, -1.824, -0.385, 0.305, 0.877),  # steady, high: 166495 forecasts
        (-3.713, -2.293, -0.590, 0.178, 0.737),  # rising, high: 200905 forecasts
        (-4.527, -3.576, -1.390, -0.167, 0.507),  # surging, high: 83501 forecasts
        (-1.282, -0.613, -0.130, -0.006, 2.241),  # idle: 399221 forecasts
    ),
    3600.0: (
        (-2.452, -1.583, -0.605, 0.198, 1.004),  # stopping: 85958 forecasts
        (-1.271, -0.579, -0.061, 0.337, 0.753),  # falling: 143876 forecasts
        (-1.000, -0.417, -0.045, 0.263, 0.590),  # steady: 277904 forecasts
        (-1.450, -0.603, -0.100, 0.288, 0.703),  # rising: 100907 forecasts
        (-2.610, -1.102, -0.072, 0.518, 1.089),  # surging: 19145 forecasts
        (-3.761, -2.665, -1.447, -0.029, 1.083),  # stopping, high: 5583 forecasts
        (-1.740, -0.544, -0.023, 0.343, 0.724),  # falling, high: 7664 forecasts
        (-0.796, -0.319, -0.008, 0.261, 0.541),  # steady, high: 37389 forecasts
        (-0.989, -0.414, -0.037, 0.272, 0.602),  # rising, high: 22275 forecasts
        (-3.290, -0.851, 0.050, 0.578, 1.166),  # surging, high: 2172 forecasts
        (-0.973, -0.563, -0.185, 0.252, 1.327),  # idle: 45461 forecasts
    ),
    86400.0: (
        (-2.330, -1.776, -0.945, -0.005, 0.747),  # stopping: 5981 forecasts
        (-1.730, -1.008, -0.324, 0.187, 0.689),  # falling: 4501 forecasts
        (-1.153, -0.438, -0.056, 0.214, 0.542),  # steady: 8559 forecasts
        (-1.081, -0.363, 0.041, 0.346, 0.756),  # rising: 4699 forecasts
        (-1.950, -0.467, 0.140, 0.595, 1.137),  # surging: 867 forecasts
        (-2.841, -2.520, -1.786, -0.341, 0.957),  # stopping, high: 927 forecasts
        (-2.690, -1.329, -0.337, 0.146, 0.827),  # falling, high: 533 forecasts
        (-1.375, -0.428, -0.021, 0.267, 0.625),  # steady, high: 1598 forecasts
        (-1.319, -0.344, 0.101, 0.423, 0.859),  # rising, high: 1260 forecasts
        (-3.047, -0.689, 0.213, 0.718, 1.549),  # surging, high: 364 forecasts
        (-1.282, -1.024, -0.659, 0.106, 0.918),  # idle: 378 forecasts
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
        (-1.398, -0.433, -0.034, 0.248, 0.884),  # 10%: 14096 periods
        (-1.387, -0.417, -0.031, 0.240, 0.827),  # 25%: 14105 periods
        (-1.493, -0.456, -0.038, 0.221, 0.741),  # 50%: 14111 periods
        (-1.502, -0.485, -0.052, 0.215, 0.657),  # 75%: 14114 periods
        (-1.812, -0.654, -0.085, 0.238, 0.678),  # 90%: 14115 periods
    ),
    86400.0: (
        (-1.589, -0.511, -0.006, 0.304, 0.641),  # 10%: 418 periods
        (-1.789, -0.596, 0.040, 0.401, 0.791),  # 25%: 419 periods
        (-1.911, -0.726, -0.110, 0.212, 0.597),  # 50%: 425 periods
        (-1.772, -0.807, -0.172, 0.135, 0.520),  # 75%: 425 periods
        (-2.015, -1.033, -0.256, 0.122, 0.484),  # 90%: 428 periods
    ),
}
