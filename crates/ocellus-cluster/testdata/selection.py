"""Writes selection.json: feature selection by scikit-learn 1.9.1.

    python selection.py
"""

import json
import pathlib
import warnings

import numpy as np
from sklearn.feature_selection import SelectKBest, chi2, f_classif, mutual_info_classif

SMALL = [[1, 0, 3], [2, 1, 0], [0, 4, 1], [3, 2, 2], [5, 0, 1], [1, 1, 4]]
SEEDS = 60


def fill(rows, columns, phase):
    """Values in (0, 1), the same in Rust."""
    v = np.sin(phase + 12.9898 * np.arange(rows * columns)) * 43758.5453
    return (v - np.floor(v)).reshape(rows, columns)


def labels(rows, classes):
    """Classes of unequal size, the same in Rust."""
    return np.arange(rows) * np.arange(rows) % (2 * classes + 1) % classes


def data(case):
    """Features tell of the class the more, the later they come."""
    rows, columns, phase, classes = case["data"]
    y = labels(rows, classes)
    x = fill(rows, columns, phase) + y[:, None] * np.arange(columns) / (2 * columns)
    return np.floor(4 * x) if case.get("grid") else x, y


def tests(case):
    x, y = data(case)
    discrete = case.get("grid", False)
    chi, chi_p = chi2(x, y)
    f, f_p = f_classif(x, y)
    result = {"chi2": chi, "chi2_p": chi_p, "f": f, "f_p": f_p}
    for neighbors in (1, 3, 7):
        drawn = [
            mutual_info_classif(x, y, discrete_features=False, n_neighbors=neighbors, random_state=s)
            for s in range(SEEDS if discrete else 1)
        ]
        result[f"mutual_{neighbors}"] = np.mean(drawn, axis=0)
        result[f"spread_{neighbors}"] = np.std(drawn, axis=0)
    if discrete:
        result["mutual"] = mutual_info_classif(x, y, discrete_features=True)
    return case | result


def kept(score, k):
    """Columns of few different scores: 3, 0, 1, 3, 1, 0 … of SMALL, and zeros."""
    small, y = np.array(SMALL, dtype=float), [0, 0, 0, 1, 1, 1]
    x = np.stack([small[:, 0], small[:, 1], small[:, 2], small[:, 0], small[:, 1] * 0, small[:, 1], small[:, 2]], 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SelectKBest(score, k=k).fit(x, y).get_support(indices=True)


def plain(value):
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    return float(f"{value:.12g}") if isinstance(value, float) else value


CASES = [
    {"data": [120, 5, 0.1, 2]},
    {"data": [150, 6, 0.2, 3]},
    {"data": [90, 4, 0.3, 5]},
    {"data": [200, 4, 0.4, 3], "grid": True},
]
result = {
    "tests": [tests(case) for case in CASES],
    "kept": {name: [kept(score, k) for k in range(1, 8)] for name, score in (("chi2", chi2), ("f", f_classif))},
}
file = pathlib.Path(__file__).with_suffix(".json")
file.write_text(json.dumps(plain(result), separators=(",", ":")) + "\n")
