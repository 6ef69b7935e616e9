"""Reference of the localization figures: NumPy, SciPy's distance transform, scikit-learn's AUROC."""

import json

import numpy as np
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(5)
cases = []
for height, width, digits, tolerance in [(4, 5, 1, 0), (7, 3, 1, 1), (9, 12, 2, 2.5), (16, 16, 3, 3), (6, 8, 0, 1.5)]:
    y, x = np.mgrid[:height, :width]
    region = (x - width * rng.random()) ** 2 + (y - height * rng.random()) ** 2 < (0.35 * min(height, width)) ** 2
    region[0, 0] = True
    m = (rng.random((height, width)) + 0.3 * region).round(digits)
    near = distance_transform_edt(~region) <= tolerance
    peak = m == m.max()
    cases.append(
        {
            "map": m.ravel().tolist(),
            "region": region.ravel().astype(int).tolist(),
            "width": width,
            "tolerance": tolerance,
            "energy": m[region].sum() / m.sum(),
            "area": region.mean(),
            "peak": near[peak].mean(),
            "peak_chance": near.mean(),
            "auroc": roc_auc_score(region.ravel(), m.ravel()),
        }
    )
with open(__file__.removesuffix(".py") + ".json", "w") as file:
    json.dump({"cases": cases}, file)
