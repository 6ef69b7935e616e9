"""Reference of the binary curves and of calibration: scikit-learn on random cases."""

import json
import warnings

import numpy as np
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

warnings.simplefilter("error")
rng = np.random.default_rng(11)


def plain(a):
    return ["inf" if np.isinf(v) else float(v) for v in a]


def roc(y, s, drop):
    fpr, tpr, t = m.roc_curve(y, s, drop_intermediate=drop)
    return {"fpr": plain(fpr), "tpr": plain(tpr), "thresholds": plain(t)}


def pr(y, s, drop):
    p, r, t = m.precision_recall_curve(y, s, drop_intermediate=drop)
    return {"precision": plain(p), "recall": plain(r), "thresholds": plain(t)}


def calibration(y, s, bins, strategy):
    """Expected and maximum calibration error, with scikit-learn's own bins."""
    true, pred = calibration_curve(y, s, n_bins=bins, strategy=strategy)
    edges = np.linspace(0, 1, bins + 1)
    if strategy == "quantile":
        edges = np.percentile(s, edges * 100)
    counts = np.bincount(np.searchsorted(edges[1:-1], s), minlength=bins)
    counts = counts[counts > 0]
    gap = np.abs(true - pred)
    return {
        "bins": bins,
        "strategy": strategy,
        "fraction_positive": plain(true),
        "mean_predicted": plain(pred),
        "counts": counts.tolist(),
        "ece": float((gap * counts).sum() / len(y)),
        "mce": float(gap.max()),
    }


cases = []
hand = ([0, 0, 1, 1, 0, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.2, 0.9])
inputs = [tuple(map(np.array, hand))]
for n, digits, prevalence in [(2, 2, 0.5), (20, 1, 0.3), (60, 2, 0.5), (120, 3, 0.1), (200, 2, 0.7)]:
    y = np.r_[0, 1, rng.random(n - 2) < prevalence].astype(int)
    s = np.clip(rng.normal(0.35 + 0.25 * y, 0.2), 0, 1).round(digits)
    inputs.append((y, s))
for y, s in inputs:
    fpr, tpr, t = m.roc_curve(y, s, drop_intermediate=False)
    p, r, tp = m.precision_recall_curve(y, s)
    # Integers below, so that equally good thresholds are equal; the highest is taken.
    tps, fps = np.rint(tpr * y.sum())[1:], np.rint(fpr * (1 - y).sum())[1:]
    f1 = 2 * tps / (tps + fps + y.sum())
    j = tps * (1 - y).sum() - fps * y.sum()
    cases.append(
        {
            "labels": y.tolist(),
            "scores": s.tolist(),
            "auroc": m.roc_auc_score(y, s),
            "average_precision": m.average_precision_score(y, s),
            "roc": roc(y, s, False),
            "roc_dropped": roc(y, s, True),
            "pr": pr(y, s, False),
            "pr_dropped": pr(y, s, True),
            "f1_max": {"threshold": t[1:][f1.argmax()], "value": f1.max()},
            "youden": {"threshold": t[1:][j.argmax()], "value": (tpr - fpr)[1:].max()},
            "tpr_at_tnr_80": tpr[1 - fpr >= 0.8 - 1e-12].max(),
            "tnr_at_tpr_90": (1 - fpr)[tpr >= 0.9].max(),
            "brier": m.brier_score_loss(y, s),
            "log_loss": m.log_loss(y, s, labels=[0, 1]),
            "calibration": [
                calibration(y, s, bins, strategy)
                for bins in (5, 10)
                for strategy in ("uniform", "quantile")
            ],
        }
    )
with open(__file__.removesuffix(".py") + ".json", "w") as f:
    json.dump({"cases": cases}, f)
