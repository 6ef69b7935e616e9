"""Writes reduction.json: PCA, NMF and scaling by scikit-learn 1.9.1.

    python reduction.py
"""

import json
import pathlib

import numpy as np
from sklearn.decomposition import NMF, PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

SMALL = [[1, 0, 3], [2, 1, 0], [0, 4, 1], [3, 2, 2], [5, 0, 1], [1, 1, 4]]


def fill(rows, columns, phase):
    """Values in (0, 1), the same in Rust."""
    v = np.sin(phase + 12.9898 * np.arange(rows * columns)) * 43758.5453
    return (v - np.floor(v)).reshape(rows, columns)


def data(case):
    if case["data"] == "small":
        return np.array(SMALL, dtype=float)
    rows, columns, phase = case["data"]
    return fill(rows, columns, phase)


def pca(case):
    x = data(case)
    model = PCA(case["components"], whiten=case.get("whiten", False), svd_solver="full").fit(x)
    y = model.transform(x)
    return case | {
        "mean": model.mean_,
        "directions": model.components_,
        "variance": model.explained_variance_,
        "ratio": model.explained_variance_ratio_,
        "singular": model.singular_values_,
        "noise": model.noise_variance_,
        "transformed": y,
        "restored": model.inverse_transform(y),
    }


def nmf(case):
    x = data(case)
    settings = {key: value for key, value in case.items() if key != "data"}
    model = NMF(random_state=0, **settings)
    w = model.fit_transform(x)
    return case | {
        "h": model.components_,
        "w": w,
        "error": model.reconstruction_err_,
        "iterations": model.n_iter_,
    }


def objective(case):
    """What random starts and NNDSVDa end at."""
    rows, columns, phase, rank = case["data"]
    x = fill(rows, rank, phase) @ fill(rank, columns, phase + 1) + 0.1 * fill(rows, columns, phase + 2)
    kind = case["divergence"]
    solver = "cd" if kind == "frobenius" else "mu"
    how = {"solver": solver, "beta_loss": kind, "max_iter": 300, "tol": 1e-5, "random_state": 0}
    models = [NMF(case["components"], init=init, **how).fit(x) for init in ("nndsvda", "random")]
    return case | {"nndsvda": models[0].reconstruction_err_, "random": models[1].reconstruction_err_}


def scaling():
    x, y = fill(9, 4, 0.3), fill(3, 4, 0.7)
    x[:, 2] = 0.7
    ranged = MinMaxScaler((-1, 2), clip=True).fit(x)
    return {
        "standard": StandardScaler().fit(x).transform(y),
        "min_max": MinMaxScaler().fit(x).transform(y),
        "clipped": ranged.transform(y),
    }


PCA_CASES = [
    {"data": "small", "components": 2},
    {"data": [20, 8, 0.1], "components": 5},
    {"data": [7, 12, 0.2], "components": 6},
    {"data": [20, 8, 0.1], "components": 0.7},
    {"data": [7, 12, 0.2], "components": 3, "whiten": True},
]
NMF_CASES = [
    {"data": "small", "n_components": 2, "init": "nndsvda", "max_iter": 5000, "tol": 1e-10},
    {"data": [15, 9, 0.4], "n_components": 4, "init": "nndsvd", "max_iter": 30, "tol": 0},
    {"data": [15, 9, 0.4], "n_components": 4, "init": "nndsvda", "max_iter": 200, "tol": 1e-3},
    {"data": [6, 11, 0.5], "n_components": 3, "init": "nndsvda", "max_iter": 40, "tol": 0,
     "alpha_W": 0.01, "alpha_H": 0.02, "l1_ratio": 0.3},
    {"data": [15, 9, 0.4], "n_components": 4, "init": "nndsvda", "max_iter": 200, "tol": 1e-3,
     "solver": "mu"},
    {"data": [6, 11, 0.5], "n_components": 3, "init": "nndsvda", "max_iter": 40, "tol": 0,
     "solver": "mu", "alpha_W": 0.01, "alpha_H": 0.02, "l1_ratio": 0.3},
    {"data": [15, 9, 0.4], "n_components": 4, "init": "nndsvda", "max_iter": 200, "tol": 1e-3,
     "solver": "mu", "beta_loss": "kullback-leibler"},
    {"data": "small", "n_components": 2, "init": "nndsvda", "max_iter": 60, "tol": 0,
     "solver": "mu", "beta_loss": "kullback-leibler", "alpha_W": 0.01, "alpha_H": 0.02, "l1_ratio": 0.3},
]


OBJECTIVES = [
    {"data": [40, 25, 0.1 * seed, 6], "components": 5, "divergence": kind}
    for kind in ("frobenius", "kullback-leibler")
    for seed in range(5)
]


def plain(value):
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    return float(f"{value:.12g}") if isinstance(value, float) else value


def main():
    result = {
        "pca": [pca(case) for case in PCA_CASES],
        "nmf": [nmf(case) for case in NMF_CASES],
        "objectives": [objective(case) for case in OBJECTIVES],
        "scaling": scaling(),
    }
    file = pathlib.Path(__file__).with_suffix(".json")
    file.write_text(json.dumps(plain(result), separators=(",", ":")) + "\n")


main()
