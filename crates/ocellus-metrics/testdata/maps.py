"""Reference of the metrics of segmentation maps: scikit-learn's confusion matrix, SciPy's distance
transform and connected components, and skimage's region areas."""

import json

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter, label
from skimage.measure import regionprops
from sklearn.metrics import confusion_matrix, f1_score

VOID = 255
rng = np.random.default_rng(11)


def map_of(shape, sigma):
    """Three classes in blobs."""
    fields = np.stack([gaussian_filter(rng.standard_normal(shape), sigma) for _ in range(3)])
    return fields.argmax(0)


def boundary(of_class, void):
    """Pixels of the class with a neighbor of another class: the void is none."""
    return of_class & ~binary_erosion(of_class | void, border_value=1)


def boundary_score(truth, predicted, cls, tolerance):
    void = truth == VOID
    t = boundary((truth == cls) & ~void, void)
    p = boundary((predicted == cls) & ~void, void)
    near = lambda a, b: int((distance_transform_edt(~b)[a] <= tolerance).sum()) if b.any() else 0
    counts = [int(t.sum()), near(t, p), int(p.sum()), near(p, t)]
    f1 = None
    if counts[0] or counts[2]:
        recall, precision = counts[1] / max(counts[0], 1), counts[3] / max(counts[2], 1)
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"class": cls, "tolerance": tolerance, "counts": counts, "f1": f1}


def object_score(truth, predicted, cls, connectivity, thresholds):
    structure = np.ones((3, 3)) if connectivity == 8 else None
    counted = truth != VOID
    t, n_t = label((truth == cls) & counted, structure)
    p, n_p = label((predicted == cls) & counted, structure)
    area_t = {r.label: r.area for r in regionprops(t)}
    area_p = {r.label: r.area for r in regionprops(p)}
    pairs = []
    within_t, within_p = dict.fromkeys(area_t, 0), dict.fromkeys(area_p, 0)
    for i in area_t:
        for j, shared in zip(*np.unique(p[t == i], return_counts=True)):
            if j == 0:
                continue
            pairs.append((shared / (area_t[i] + area_p[j] - shared), i, j))
            within_t[i] += 2 * shared > area_p[j]
            within_p[j] += 2 * shared > area_t[i]
    # Labels are in the order of first pixels.
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    used_t, used_p, ious = set(), set(), []
    for iou, i, j in pairs:
        if i not in used_t and j not in used_p:
            used_t.add(i), used_p.add(j), ious.append(iou)
    several = lambda within: int(sum(n > 1 for n in within.values()))
    matched = [[iou for iou in ious if iou >= least] for least in thresholds]
    return {
        "class": cls,
        "connectivity": connectivity,
        "thresholds": thresholds,
        "totals": [n_t, n_p, several(within_t), several(within_p)],
        "matches": [len(m) for m in matched],
        "mean_iou": [float(np.mean(m)) if m else None for m in matched],
    }


cases = []
for height, width, sigma, noise in [(40, 30, 2.5, 0.02), (25, 61, 1.2, 0.0), (17, 9, 0.4, 0.3), (60, 50, 4, 0.05)]:
    truth = map_of((height, width), sigma)
    # What is predicted lies a little aside, and is wrong here and there.
    predicted = np.roll(truth, (1, 2), (0, 1))
    wrong = rng.random(truth.shape) < noise
    predicted[wrong] = rng.integers(3, size=wrong.sum())
    truth[gaussian_filter(rng.standard_normal(truth.shape), 2) > 0.18] = VOID
    counted = truth != VOID
    cases.append(
        {
            "width": width,
            "truth": truth.ravel().tolist(),
            "predicted": predicted.ravel().tolist(),
            "confusion": confusion_matrix(truth[counted], predicted[counted], labels=range(3)).ravel().tolist(),
            "f1": f1_score(truth[counted], predicted[counted], average=None).tolist(),
            "boundary": [
                boundary_score(truth, predicted, cls, tolerance)
                for cls in range(4)
                for tolerance in [0, 1, 2.5, 0.0075 * np.hypot(height, width)]
            ],
            "objects": [
                object_score(truth, predicted, cls, connectivity, [0.1, 0.3, 0.5, 0.75])
                for cls in range(3)
                for connectivity in [4, 8]
            ],
        }
    )
with open(__file__.removesuffix(".py") + ".json", "w") as file:
    json.dump({"cases": cases}, file, separators=(",", ":"))
