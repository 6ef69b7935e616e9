"""Reference of region metrics: anomalib 2.7's AUPRO and PRO, torchmetrics and scikit-learn on all pixels, and
the published formula with SciPy's connected components in f64. Run with the Python that has anomalib."""

import json

import numpy as np
import torch
from anomalib.metrics.aupro import _AUPRO
from anomalib.metrics.pro import _PRO
from scipy.ndimage import gaussian_filter, label
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score
from torchmetrics.functional.classification import binary_auroc

rng = np.random.default_rng(5)


def aupro(maps, masks, limit, connectivity):
    """The mean over regions of the share found, against the share of normal pixels taken for defects."""
    structure = np.ones((3, 3)) if connectivity == 8 else None
    scores, weights, normal, regions = [], [], [], 0
    for m, t in zip(maps, masks):
        labels, count = label(t, structure)
        regions += count
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        weights.append(np.where(t, 1 / sizes[labels], 0).ravel())
        normal.append(~t.ravel())
        scores.append(m.ravel())
    scores, weights, normal = map(np.concatenate, (scores, weights, normal))
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    x = np.concatenate([[0], (np.cumsum(normal[order]) / normal.sum())[last]])
    y = np.concatenate([[0], (np.cumsum(weights[order]) / regions)[last]])
    keep = x <= limit
    x, y = np.append(x[keep], limit), np.append(y[keep], np.interp(limit, x, y))
    return float(np.trapezoid(y, x) / limit), regions


cases = []
for count, height, width, sigma, digits in [(3, 24, 31, 2.0, 6), (2, 40, 25, 1.0, 1), (4, 16, 16, 0.6, 2), (1, 30, 30, 3.0, 6)]:
    fields = np.stack([gaussian_filter(rng.standard_normal((height, width)), sigma) for _ in range(count)])
    fields /= fields.std()
    masks = fields > 1.2
    if count > 2:
        masks[1] = False
    maps = fields + 0.8 * gaussian_filter(rng.standard_normal(fields.shape), (0, 1, 1)) * 3
    maps = np.round(20 * maps + 7, digits).astype(np.float32)
    flat, truth = maps.ravel().astype(np.float64), masks.ravel()
    precision, recall, thresholds = precision_recall_curve(truth, flat)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    best = np.flatnonzero(f1[:-1] >= f1[:-1].max() - 1e-15)[-1]
    threshold = float(thresholds[best])
    metric, pro = _AUPRO(fpr_limit=0.3), _PRO()
    metric.update(torch.tensor(maps), torch.tensor(masks).float())
    pro.update(torch.tensor(flat.reshape(maps.shape) >= threshold), torch.tensor(masks).float())
    # torchmetrics takes scores beyond 0..1 for logits: give it ranks.
    ranks = np.unique(flat, return_inverse=True)[1] / flat.size
    cases.append(
        {
            "width": width,
            "height": height,
            "maps": [round(float(v), digits) for v in flat],
            "masks": truth.astype(int).tolist(),
            "auroc": float(roc_auc_score(truth, flat)),
            "auroc_torchmetrics": float(binary_auroc(torch.tensor(ranks), torch.tensor(truth).long())),
            "average_precision": float(average_precision_score(truth, flat)),
            "f1_max": {"value": float(f1[best]), "threshold": threshold},
            "anomalib": {"aupro": float(metric.compute()), "pro": float(pro.compute())},
            "aupro": [
                {"limit": limit, "connectivity": c, "value": value, "regions": regions}
                for limit in [0.05, 0.3, 1.0]
                for c in [4, 8]
                for value, regions in [aupro(maps, masks, limit, c)]
            ],
        }
    )
with open(__file__.removesuffix(".py") + ".json", "w") as file:
    json.dump({"cases": cases}, file, separators=(",", ":"))
