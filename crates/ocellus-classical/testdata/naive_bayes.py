"""Writes naive_bayes.json: GaussianNB of scikit-learn 1.9.1."""

import json
from pathlib import Path

import numpy as np
from sklearn.naive_bayes import GaussianNB

rng = np.random.default_rng(0)
y = np.arange(40) * 7 % 3
x = np.round(rng.normal(size=(40, 5)) * [1, 10, 0.1, 1, 1] + 0.8 * y[:, None], 3)
x[:, 3] = 2.5  # Constant.
new = np.round(rng.normal(size=(6, 5)) * 2, 3)
new[:, 3] = 2.5
cases = []
for settings in ({}, {"var_smoothing": 1e-3}, {"priors": [0.2, 0.5, 0.3]}):
    model = GaussianNB(**settings).fit(x, y)
    cases.append(
        {
            "settings": settings,
            "means": model.theta_.tolist(),
            "variances": model.var_.tolist(),
            "joint": model.predict_joint_log_proba(new).tolist(),
            "log_proba": model.predict_log_proba(new).tolist(),
            "predicted": model.predict(new).tolist(),
        }
    )
data = {"x": x.tolist(), "y": y.tolist(), "new": new.tolist(), "cases": cases}
Path(__file__).with_suffix(".json").write_text(json.dumps(data) + "\n")
