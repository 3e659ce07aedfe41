"""Kolmogorov-Smirnov tests, ROC areas and harmonic means of scipy -> verify_statistics.golden.

The exact p-value is also counted here in whole numbers (lattice paths), since scipy's underflows.
A sample is a list of numbers, or {"from": first, "n": count} for consecutive whole numbers.
"""
import math

import mpmath
import numpy as np
from scipy import stats

import container


def numbers(sample):
    if isinstance(sample, dict):
        return np.arange(sample["from"], sample["from"] + sample["n"], dtype=float)
    return np.array(sample, dtype=float)


def largest_gap(a, b):
    """max |i m - j n| over the pooled sample, the statistic times n m."""
    points = np.concatenate([a, b])
    i = np.searchsorted(np.sort(a), points, side="right")
    j = np.searchsorted(np.sort(b), points, side="right")
    return int(np.abs(i * len(b) - j * len(a)).max())


def exact_p(n, m, gap):
    """(numerator, denominator): the paths from (0,0) to (n,m) that reach |i m - j n| >= gap."""
    row = []
    for i in range(n + 1):
        new = []
        for j in range(m + 1):
            if i == j == 0:
                ways = 1 if gap > 0 else 0
            elif abs(i * m - j * n) >= gap:
                ways = 0
            else:
                ways = (row[j] if i else 0) + (new[j - 1] if j else 0)
            new.append(ways)
        row = new
    total = math.comb(n + m, n)
    return total - row[m], total


def ks(a, b):
    x, y = numbers(a), numbers(b)
    result = stats.ks_2samp(x, y, method="exact")
    top, total = exact_p(len(x), len(y), largest_gap(x, y))
    with mpmath.workdps(40):
        p = mpmath.mpf(top) / mpmath.mpf(total)
        log10_p = float(mpmath.log10(p))
    if float(p) > 1e-250:
        assert abs(result.pvalue - float(p)) <= 1e-9 * float(p), (len(x), len(y), result, float(p))
    return {"a": a, "b": b, "statistic": float(result.statistic), "p_value": float(p),
            "log10_p": log10_p}


def main():
    rng = np.random.default_rng(11)

    def normal(n, shift=0.0, digits=4):
        return [round(float(v), digits) for v in rng.normal(shift, 1, n)]

    cases = [ks(normal(n), normal(m, shift))
             for n, m, shift in [(1, 1, 0), (2, 2, 0), (1, 9, 1), (10, 10, 0.5), (50, 50, 0.2),
                                 (7, 5, 0), (31, 33, 0.7), (40, 30, 1), (64, 48, 3), (100, 101, 0),
                                 (300, 300, 0.6), (300, 400, 0.3)]]
    cases += [ks(normal(n, 0, 0), normal(m, 0.4, 0)) for n, m in [(20, 20), (20, 25), (90, 60)]]
    cases += [ks([1.0, 2.0, 2.0, 3.0], [2.0, 3.0, 1.0, 2.0]), ks([5.0] * 6, [5.0] * 4)]
    cases += [ks({"from": 0, "n": n}, {"from": shift, "n": m})
              for n, m, shift in [(300, 300, 300), (300, 400, 300), (400, 400, 400),
                                  (400, 300, -300), (300, 400, 290), (300, 300, 290),
                                  (700, 700, 700), (700, 700, 640), (700, 701, 700),
                                  (700, 600, 690), (1, 1000, 1), (500, 2, 10)]]
    areas = []
    for n, m, shift, digits in [(1, 1, 0, 4), (30, 40, 0.5, 4), (40, 30, -1, 1), (25, 25, 0, 0),
                                (5, 5, 9, 2), (5, 5, -9, 2)]:
        negative, positive = normal(n, 0, digits), normal(m, shift, digits)
        u = stats.mannwhitneyu(positive, negative).statistic
        areas.append({"negative": negative, "positive": positive, "area": float(u) / (n * m)})
    means = [{"values": v, "harmonic": float(stats.hmean(v))}
             for v in ([0.5], [0.2, 0.4, 0.9], [1e-9, 1.0], [0.0, 0.7], list(rng.random(9)))]
    container.write("verify_statistics", "scipy 1.17; exact p-values by counting lattice paths",
                    values={"ks": cases, "areas": areas, "means": means})


if __name__ == "__main__":
    main()
