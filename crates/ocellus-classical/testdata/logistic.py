"""Writes logistic.json: LogisticRegression of scikit-learn 1.9.1 at tolerance 1e-10."""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("error")
rng = np.random.default_rng(0)
sets, cases = {}, []
for classes in (2, 3):
    y = np.arange(60) * 7 % classes
    x = rng.normal(size=(60, 4)) + 0.8 * np.eye(classes, 4)[y]
    x = np.round(x * [1, 3, 0.5, 1] + [0, 5, 0, 0], 3)
    new = np.round(rng.normal(size=(6, 4)), 3)
    sets[str(classes)] = {"x": x.tolist(), "y": y.tolist(), "new": new.tolist()}
    for settings in (
        {"C": 1.0},
        {"C": 0.01},
        {"C": 100.0, "class_weight": "balanced"},
        {"C": np.inf},
        {"C": 2.0, "fit_intercept": False},
        {"C": 1.0, "class_weight": dict(enumerate([1.0, 3.0, 0.5][:classes]))},
    ):
        model = LogisticRegression(solver="newton-cg", tol=1e-10, max_iter=10_000, **settings)
        model.fit(x, y)
        ours = {k: v for k, v in settings.items() if v != np.inf}
        if isinstance(ours.get("class_weight"), dict):
            ours["class_weight"] = list(ours["class_weight"].values())
        cases.append(
            {
                "classes": classes,
                "settings": ours,
                "coefficients": model.coef_.tolist(),
                "intercepts": np.broadcast_to(model.intercept_, len(model.coef_)).tolist(),
                "probabilities": model.predict_proba(new).tolist(),
            }
        )
Path(__file__).with_suffix(".json").write_text(json.dumps({"sets": sets, "cases": cases}) + "\n")
