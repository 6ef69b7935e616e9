"""Reference of Gaussian mixtures: scikit-learn's, from given first clusters."""

import json
import warnings

import numpy as np
from sklearn.mixture import GaussianMixture

warnings.simplefilter("ignore")
rng = np.random.default_rng(7)
NAMES = {"full": "full", "tied": "tied", "diag": "diagonal", "spherical": "spherical"}


def fit(x, labels, components, kind, **settings):
    model = GaussianMixture(components, covariance_type=kind, **settings)
    responsibilities = np.eye(components)[labels]
    model._initialize_parameters = lambda x, random_state, xp=None: model._initialize(x, responsibilities)
    return model.fit(x)


cases = []
for samples, features, components, spread in [(40, 2, 2, 1.0), (60, 3, 3, 1.5), (50, 5, 2, 2.0)]:
    centers = rng.normal(size=(components, features)) * 3
    truth = rng.integers(components, size=samples)
    x = (centers[truth] + rng.normal(size=(samples, features)) * spread).round(3)
    labels = np.where(rng.random(samples) < 0.3, rng.integers(components, size=samples), truth)
    new = (rng.normal(size=(4, features)) * 3).round(3)
    for kind, name in NAMES.items():
        for settings in ({}, {"tol": 1e-7, "max_iter": 400}, {"max_iter": 3, "reg_covar": 0.1}):
            model = fit(x, labels, components, kind, **settings)
            cases.append(
                {
                    "x": x.tolist() if kind == "full" and not settings else None,
                    "labels": labels.tolist(),
                    "components": components,
                    "kind": name,
                    "tol": settings.get("tol", 1e-3),
                    "max_iter": settings.get("max_iter", 100),
                    "reg_covar": settings.get("reg_covar", 1e-6),
                    "weights": model.weights_.tolist(),
                    "means": model.means_.tolist(),
                    "covariances": model.covariances_.ravel().tolist(),
                    "precisions": model.precisions_.ravel().tolist(),
                    "lower_bound": model.lower_bound_,
                    "iterations": model.n_iter_,
                    "converged": bool(model.converged_),
                    "predicted": model.predict(x).tolist(),
                    "new": new.tolist(),
                    "scores": model.score_samples(new).tolist(),
                    "probabilities": model.predict_proba(new).tolist(),
                    "bic": model.bic(x),
                    "aic": model.aic(x),
                }
            )

with open("mixture.json", "w") as file:
    json.dump({"cases": cases}, file)
