"""Reference of the indices of clusterings: scikit-learn's, and SciPy's assignments."""

import json

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_samples,
    silhouette_score,
)

rng = np.random.default_rng(8)

pairs = []
for samples, left, right in [(10, 2, 2), (40, 3, 5), (60, 7, 2), (25, 1, 3), (30, 25, 4)]:
    a = rng.integers(left, size=samples)
    for b in (rng.integers(right, size=samples), (a + (rng.random(samples) < 0.2)) % right):
        pairs.append(
            {
                "a": a.tolist(),
                "b": b.tolist(),
                "ari": adjusted_rand_score(a, b),
                "nmi": normalized_mutual_info_score(a, b),
            }
        )

silhouettes = []
for samples, features, clusters in [(20, 2, 2), (200, 3, 4), (30, 40, 3)]:
    labels = rng.integers(clusters, size=samples)
    x = (rng.normal(size=(samples, features)) + labels[:, None] * rng.random()).round(3)
    labels[0] = 9  # A cluster of one.
    silhouettes.append(
        {
            "x": x.tolist(),
            "labels": labels.tolist(),
            "samples": silhouette_samples(x, labels).tolist(),
            "mean": silhouette_score(x, labels),
        }
    )

assignments = []
for rows, columns in [(1, 1), (3, 3), (8, 8), (4, 9), (9, 4), (1, 6)]:
    for integers in (False, True):
        cost = rng.integers(-5, 6, size=(rows, columns)) if integers else rng.normal(size=(rows, columns)).round(4)
        assignments.append({"cost": cost.tolist(), "total": float(cost[linear_sum_assignment(cost)].sum())})

with open("indices.json", "w") as file:
    json.dump({"pairs": pairs, "silhouettes": silhouettes, "assignments": assignments}, file)
