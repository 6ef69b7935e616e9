"""Reference of the special functions: SciPy."""

import json

from scipy import special, stats

normal = [-30, -8.3, -4, -2.2, -2.1, -1.96, -0.5, 0, 0.3, 1, 1.5, 2, 2.5, 3.7, 6]
quantiles = [1e-300, 1e-20, 1e-6, 0.001, 0.025, 0.05, 0.2, 0.5, 0.6, 0.9, 0.975, 0.9999]
shapes = [(0.5, 0.5), (2, 0.5), (1, 1), (2, 3), (10, 0.5), (7.5, 30), (40, 40), (300, 500), (5000, 5001)]
students = [(t, df) for t in (0, 0.1, 1, 2.5, 12, 80) for df in (1, 2, 4, 9, 30, 200)]
cases = {
    "normal": [[z, stats.norm.cdf(z), 2 * stats.norm.sf(abs(z))] for z in normal],
    "normal_quantile": [[p, stats.norm.ppf(p)] for p in quantiles],
    "incomplete_beta": [
        [a, b, x, special.betainc(a, b, x)]
        for a, b in shapes
        for x in (0, 0.01, 0.2, 0.37, 0.5, 0.51, 0.9, 1)
    ],
    "student": [[t, df, 2 * stats.t.sf(t, df)] for t, df in students],
    "student_quantile": [
        [c, df, stats.t.ppf((1 + c) / 2, df)] for c in (0.5, 0.9, 0.95, 0.999) for df in (1, 4, 9, 100)
    ],
    "upper_gamma": [
        [a, x, special.gammaincc(a, x)]
        for a in (0.5, 1, 2.5, 7, 40, 1000)
        for x in (0, 0.01, 0.4, 1.5, 3, 9, 50, 300, 1100)
    ],
    "chi_squared": [
        [x, df, stats.chi2.sf(x, df)] for x in (0, 0.1, 1, 5, 40, 600) for df in (1, 2, 3, 9, 100)
    ],
    "f": [
        [f, between, within, stats.f.sf(f, between, within)]
        for f in (0, 0.2, 1, 3, 25, 900)
        for between, within in ((1, 4), (1, 100), (3, 20), (9, 5000))
    ],
}
with open(__file__.removesuffix(".py") + ".json", "w") as f:
    json.dump(cases, f)
