"""Writes svm.json: support vector machines of scikit-learn 1.9.1 at tolerance 1e-10."""

import json
from pathlib import Path

import numpy as np
from sklearn.svm import SVC

rng = np.random.default_rng(0)


def data(classes, samples, features):
    y = np.arange(samples) * 7 % classes
    x = rng.normal(size=(samples, features)) + 0.9 * np.eye(classes, features)[y]
    return np.round(x, 3), y


def case(name, x, y, new, kernel, **settings):
    ours = dict(settings)
    svm = SVC(kernel=kernel, tol=1e-10, decision_function_shape="ovo", **settings).fit(x, y)
    one_vs_one = np.atleast_2d(svm.decision_function(new).T).T
    svm.decision_function_shape = "ovr"
    one_vs_rest = np.atleast_2d(svm.decision_function(new).T).T
    svm.break_ties = len(np.unique(y)) > 2
    if "class_weight" in ours and isinstance(ours["class_weight"], dict):
        ours["class_weight"] = list(ours["class_weight"].values())
    return {
        "name": name,
        "kernel": kernel,
        "settings": ours,
        "classes": int(y.max()) + 1,
        "support": svm.support_.tolist(),
        "dual": svm.dual_coef_.tolist(),
        "intercept": svm.intercept_.tolist(),
        "one_vs_one": one_vs_one.tolist(),
        "one_vs_rest": one_vs_rest.tolist(),
        "tie_free": svm.predict(new).tolist(),
        "predicted": svm.set_params(break_ties=False).predict(new).tolist(),
    }


def platt(decisions, positive):
    """scikit-learn's own fit, by another optimizer."""
    from sklearn.calibration import _sigmoid_calibration

    slope, intercept = _sigmoid_calibration(decisions, positive.astype(float))
    return {
        "decisions": decisions.tolist(),
        "positive": positive.tolist(),
        "slope": float(slope),
        "intercept": float(intercept),
    }


sets = {}
cases = []
for classes, samples in ((2, 48), (3, 54)):
    x, y = data(classes, samples, 4)
    new = np.round(rng.normal(size=(8, 4)), 3)
    sets[str(classes)] = {"x": x.tolist(), "y": y.tolist(), "new": new.tolist()}
    for name, kernel, settings in (
        ("linear", "linear", {"C": 0.7}),
        ("polynomial", "poly", {"degree": 3, "gamma": "scale", "coef0": 1.0, "C": 0.5}),
        ("rbf scale", "rbf", {"gamma": "scale", "C": 1.0}),
        ("rbf auto", "rbf", {"gamma": "auto", "C": 30.0}),
        ("rbf number", "rbf", {"gamma": 0.1, "C": 2.0, "class_weight": "balanced"}),
        ("sigmoid", "sigmoid", {"gamma": 0.05, "coef0": 0.1, "C": 1.5}),
        (
            "weights",
            "rbf",
            {"gamma": "scale", "C": 1.0, "class_weight": dict(enumerate([1.0, 3.0, 0.5][:classes]))},
        ),
    ):
        cases.append(case(name, x, y, new, kernel, **settings))

decisions = np.round(rng.normal(size=40) * 2, 3)
scalings = [
    platt(decisions, decisions + rng.normal(size=40) > 0.3),
    platt(decisions, decisions + 3 * rng.normal(size=40) > 2),
]
text = json.dumps({"sets": sets, "cases": cases, "platt": scalings})
Path(__file__).with_suffix(".json").write_text(text + "\n")
