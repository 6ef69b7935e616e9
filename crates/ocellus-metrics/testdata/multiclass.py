"""Reference of the multi-class metrics: scikit-learn on random cases."""

import json
import warnings

import numpy as np
from sklearn import metrics as m

warnings.simplefilter("error")
rng = np.random.default_rng(7)
cases = []
for classes, n in [(2, 40), (3, 50), (3, 90), (4, 60), (5, 80), (7, 70)]:
    truth = np.r_[np.arange(classes), rng.integers(classes, size=n - classes)]
    # Probabilities in thousandths that sum to one, with ties.
    alpha = 0.4 + 1.5 * np.eye(classes)[truth]
    scores = np.array([rng.multinomial(1000, rng.dirichlet(a)) for a in alpha]) / 1000
    predicted = scores.argmax(1)
    predicted[:classes] = np.arange(classes)
    case = {
        "classes": classes,
        "truth": truth.tolist(),
        "predicted": predicted.tolist(),
        "scores": scores.ravel().tolist(),
        "confusion": m.confusion_matrix(truth, predicted).ravel().tolist(),
        "accuracy": m.accuracy_score(truth, predicted),
        "balanced_accuracy": m.balanced_accuracy_score(truth, predicted),
        "mcc": m.matthews_corrcoef(truth, predicted),
        "kappa": m.cohen_kappa_score(truth, predicted),
        "kappa_linear": m.cohen_kappa_score(truth, predicted, weights="linear"),
        "kappa_quadratic": m.cohen_kappa_score(truth, predicted, weights="quadratic"),
    }
    for name, metric in {
        "precision": m.precision_score,
        "recall": m.recall_score,
        "f1": m.f1_score,
        "f2": lambda *a, **k: m.fbeta_score(*a, beta=2, **k),
        "jaccard": m.jaccard_score,
    }.items():
        case[name] = {"per_class": metric(truth, predicted, average=None).tolist()}
        for average in ["macro", "micro", "weighted"]:
            case[name][average] = metric(truth, predicted, average=average)
    hot = np.eye(classes)[truth]
    for average in ["macro", "weighted", "micro"]:
        case[f"auroc_ovr_{average}"] = m.roc_auc_score(hot, scores, average=average)
        case[f"ap_{average}"] = m.average_precision_score(hot, scores, average=average)
    case["auroc_per_class"] = m.roc_auc_score(hot, scores, average=None).tolist()
    case["ap_per_class"] = m.average_precision_score(hot, scores, average=None).tolist()
    if classes > 2:
        for average in ["macro", "weighted"]:
            case[f"auroc_ovo_{average}"] = m.roc_auc_score(
                truth, scores, multi_class="ovo", average=average
            )
    case["log_loss"] = m.log_loss(truth, scores, labels=range(classes))
    case["brier"] = m.brier_score_loss(hot, scores, scale_by_half=False) if classes > 2 else float(
        ((hot - scores) ** 2).sum(1).mean()
    )
    # Ties between classes go to the lower index here: break them before asking scikit-learn.
    untied = scores - 1e-9 * np.arange(classes)
    if classes > 2:
        case["top_k"] = [
            m.top_k_accuracy_score(truth, untied, k=k, labels=range(classes))
            for k in range(1, classes)
        ]
    cases.append(case)
with open(__file__.removesuffix(".py") + ".json", "w") as f:
    json.dump({"cases": cases}, f)
