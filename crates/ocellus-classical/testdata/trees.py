"""Writes trees.json: decision trees and forests by scikit-learn 1.9.1.

    python trees.py
"""

import json
import pathlib

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

SEEDS = 20


def fill(rows, columns, seed):
    """Multiples of 2⁻²⁰ in 0..1, the same in Rust."""
    h = np.arange(rows * columns, dtype=np.uint32) + np.uint32(seed << 24)
    h *= np.uint32(0x9E3779B9)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    return (h >> np.uint32(12)).reshape(rows, columns) / 2**20


def data(rows, columns, seed):
    """Features in 0..1 and three classes that follow from the first ones, with noise."""
    x = fill(rows, columns, seed)
    a, b, c = (x[:, j % columns] for j in range(3))
    score = (2 * a - 1) * (2 * a - 1) + b * c + 0.5 * fill(rows, 1, seed + 100)[:, 0]
    return x, (score > 0.6).astype(int) + (score > 1.0)


def tree(case):
    """The tree, which must not depend on how scikit-learn orders equally good splits."""
    rows, columns, seed = case["data"]
    x, y = data(rows, columns, seed)
    if case.get("grid"):
        x = np.floor(8 * x)
    settings = {key: value for key, value in case.items() if key not in ("data", "grid")}
    fitted = [DecisionTreeClassifier(random_state=s, **settings).fit(x, y) for s in range(5)]
    for other in fitted[1:]:
        assert np.array_equal(fitted[0].tree_.feature, other.tree_.feature), case
        assert np.array_equal(fitted[0].tree_.threshold, other.tree_.threshold), case
    model = fitted[0]
    inner = model.tree_.feature >= 0
    return case | {
        "nodes": model.tree_.node_count,
        "depth": model.get_depth(),
        "features": model.tree_.feature[inner],
        "thresholds": model.tree_.threshold[inner],
        "importances": model.feature_importances_,
        "probabilities": model.predict_proba(data(20, columns, seed + 1)[0]),
    }


def accuracies(model):
    """Of models fitted on 200 samples, on 400 others."""
    result = []
    for seed in range(SEEDS):
        x, y = data(600, 10, seed)
        result.append(model(seed).fit(x[:200], y[:200]).score(x[200:], y[200:]))
    return result


def plain(value):
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return plain(value.tolist()) if isinstance(value, (np.ndarray, np.generic)) else value


CASES = [
    {"data": [150, 1, 1]},
    {"data": [300, 1, 2], "grid": True},
    {"data": [150, 1, 3], "criterion": "entropy", "min_samples_leaf": 3},
    {"data": [500, 6, 4], "max_depth": 4, "min_samples_leaf": 20},
    {"data": [800, 4, 6], "criterion": "entropy", "max_depth": 5, "min_samples_leaf": 15},
    {"data": [800, 4, 8], "min_samples_split": 40},
    {"data": [400, 8, 14], "min_samples_split": 40},
    {"data": [500, 6, 4], "max_depth": 4, "min_samples_leaf": 20, "class_weight": "balanced"},
]
result = {
    "trees": [tree(case) for case in CASES],
    "tree_accuracies": accuracies(lambda s: DecisionTreeClassifier(max_features="sqrt", random_state=s)),
    "forest_accuracies": accuracies(lambda s: RandomForestClassifier(50, random_state=s)),
    "entropy_accuracies": accuracies(lambda s: RandomForestClassifier(
        30, criterion="entropy", max_features="log2", min_samples_leaf=2, random_state=s)),
    "whole_accuracies": accuracies(lambda s: RandomForestClassifier(
        30, bootstrap=False, max_features=0.3, max_depth=6, random_state=s)),
}
file = pathlib.Path(__file__).with_suffix(".json")
file.write_text(json.dumps(plain(result), separators=(",", ":")) + "\n")
