"""Reference of intervals and tests: SciPy, statsmodels, and DeLong by its definition in NumPy."""

import itertools
import json
import warnings

import numpy as np
from confidenceinterval.delong import delong_roc_variance
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

warnings.simplefilter("error")
rng = np.random.default_rng(5)


def structural(y, s):
    """The structural components of the area: O(m n), straight from the definition."""
    p, n = s[y == 1][:, None], s[y == 0][None, :]
    psi = (p > n) + 0.5 * (p == n)
    return psi.mean(1), psi.mean(0)


def delong(y, a, b):
    (a1, a0), (b1, b0) = structural(y, a), structural(y, b)
    s1, s0 = np.cov(a1, b1), np.cov(a0, b0)
    cov = s1 / len(a1) + s0 / len(a0)
    se = np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    z = (a1.mean() - b1.mean()) / se
    return {
        "labels": y.tolist(),
        "first": a.tolist(),
        "second": b.tolist(),
        "auroc": a1.mean(),
        "variance": cov[0, 0],
        "published_variance": float(delong_roc_variance(y, a)[1]),
        "z": z,
        "p_value": 2 * stats.norm.sf(abs(z)),
    }


def delong_cases():
    for n, digits in [(10, 1), (40, 1), (80, 2), (150, 4)]:
        y = np.r_[0, 1, 0, 1, rng.random(n - 4) < 0.4].astype(int)
        a = (30 * rng.normal(0.8 * y, 1)).round(digits)
        yield delong(y, a, (0.5 * a + 20 * rng.normal(0.3 * y, 1)).round(digits))


def mcnemar_cases():
    for b, c in [(0, 1), (5, 0), (3, 9), (10, 2), (30, 18), (121, 59), (700, 777)]:
        table = [[50, b], [c, 40]]
        one = mcnemar(table, exact=False, correction=True)
        two = mcnemar(table, exact=False, correction=False)
        exact = stats.binomtest(b, b + c, 0.5).pvalue
        assert abs(exact - mcnemar(table, exact=True).pvalue) < 1e-12
        yield {
            "b": b,
            "c": c,
            "exact": exact,
            "mid_p": exact - stats.binom.pmf(min(b, c), b + c, 0.5),
            "corrected": [one.statistic, one.pvalue],
            "uncorrected": [two.statistic, two.pvalue],
        }


def t_cases():
    for n, ratio in [(2, 1.0), (5, 0.25), (10, 1 / 9), (30, 0.2)]:
        a = rng.normal(0.9, 0.03, n).round(4)
        b = (a - rng.normal(0.01, 0.02, n)).round(4)
        plain, d = stats.ttest_rel(a, b), a - b
        ends = plain.confidence_interval(0.95)
        t = d.mean() / np.sqrt((1 / n + ratio) * d.var(ddof=1))
        yield {
            "first": a.tolist(),
            "second": b.tolist(),
            "test_to_train": ratio,
            "paired": [plain.statistic, plain.pvalue, ends.low, ends.high],
            "corrected": [t, 2 * stats.t.sf(abs(t), n - 1)],
        }


def wilcoxon_cases():
    for n, step in [(3, 0), (5, 0), (12, 0), (25, 0), (50, 0), (8, 1), (11, 1), (60, 0), (90, 1)]:
        if step:  # Ties, exact in binary.
            a, b = rng.integers(2, 12, n) / 8, rng.integers(0, 10, n) / 8
        else:  # Differences of distinct sizes, exact in binary.
            b = rng.integers(0, 99, n) / 64
            a = b + rng.permutation(np.arange(1, n + 1)) * rng.choice([-1, 1, 1], n) / 64
        d = a - b
        kept = d[d != 0]
        ranks = stats.rankdata(abs(kept))
        statistic = min(ranks[kept > 0].sum(), ranks[kept < 0].sum())
        if len(kept) > 50:
            p = stats.wilcoxon(kept, method="approx", correction=False).pvalue
        elif step:
            sums = [ranks @ np.array(s) for s in itertools.product([0, 1], repeat=len(kept))]
            p = min(1.0, 2 * float(np.mean(np.array(sums) <= statistic)))
        else:
            p = stats.wilcoxon(kept, method="exact").pvalue
        yield {
            "first": a.tolist(),
            "second": b.tolist(),
            "statistic": float(statistic),
            "p_value": float(p),
        }


def wilson_cases():
    for k, n, c in [(0, 5, 0.95), (5, 5, 0.95), (96, 100, 0.95), (1, 1000, 0.99), (33, 77, 0.8)]:
        ends = proportion_confint(k, n, alpha=1 - c, method="wilson")
        yield {"successes": k, "trials": n, "confidence": c, "interval": list(map(float, ends))}


def mean_cases():
    for n, c in [(2, 0.95), (5, 0.95), (12, 0.9)]:
        x = rng.normal(0.9, 0.05, n).round(3)
        ends = stats.t.interval(c, n - 1, x.mean(), stats.sem(x))
        yield {"values": x.tolist(), "confidence": c, "interval": list(map(float, ends))}


def bca_cases():
    for n, c in [(12, 0.95), (30, 0.9)]:
        x = rng.exponential(1, n).round(3)
        drawn = stats.bootstrap((x,), np.mean, n_resamples=400, rng=rng, method="BCa")
        result = stats.bootstrap(
            (x,), np.mean, n_resamples=0, bootstrap_result=drawn, confidence_level=c, method="BCa"
        )
        yield {
            "sample": x.tolist(),
            "resampled": drawn.bootstrap_distribution.tolist(),
            "confidence": c,
            "interval": [float(v) for v in result.confidence_interval],
        }


def holm_cases():
    for p in ([0.01, 0.04, 0.03], [0.2], [0.5, 0.001, 0.9, 0.02, 0.02]):
        yield {"p_values": p, "corrected": multipletests(p, method="holm")[1].tolist()}


cases = {
    "delong": list(delong_cases()),
    "mcnemar": list(mcnemar_cases()),
    "t_test": list(t_cases()),
    "wilcoxon": list(wilcoxon_cases()),
    "wilson": list(wilson_cases()),
    "mean": list(mean_cases()),
    "bca": list(bca_cases()),
    "holm": list(holm_cases()),
}
with open(__file__.removesuffix(".py") + ".json", "w") as f:
    json.dump(cases, f)
