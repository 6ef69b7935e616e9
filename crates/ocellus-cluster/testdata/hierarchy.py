"""Reference of agglomerative clustering: SciPy's linkage matrices, cuts by height and leaves, and
scikit-learn's labels."""

import json

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from sklearn.cluster import AgglomerativeClustering

rng = np.random.default_rng(6)
METRICS = {"euclidean": "euclidean", "manhattan": "cityblock", "cosine": "cosine"}
LINKAGES = ["ward", "complete", "average", "single", "weighted", "centroid", "median"]


def canonical(labels):
    """Numbered by their first samples."""
    names = {}
    return [names.setdefault(label, len(names)) for label in labels]


cases = []
for samples, features in [(12, 2), (30, 3), (36, 20), (2, 2)]:
    x = (rng.normal(size=(samples, features)) + rng.integers(3, size=(samples, 1)) * 2).round(3)
    for name, metric in METRICS.items():
        for method in LINKAGES:
            if metric != "euclidean" and method in ("ward", "centroid", "median"):
                continue
            z = linkage(x, method, metric)
            cuts = []
            if method in ("ward", "complete", "average", "single"):
                for clusters in {1, 2, min(5, samples), samples}:
                    model = AgglomerativeClustering(
                        clusters, linkage=method, metric=name if method != "ward" else "euclidean"
                    )
                    cuts.append({"clusters": clusters, "labels": canonical(model.fit_predict(x))})
            heights = []
            for height in np.quantile(z[:, 2], [0.3, 0.8]) * 1.0001:
                labels = canonical(fcluster(z, height, "distance"))
                heights.append({"height": height, "labels": labels})
            cases.append(
                {
                    "x": x.tolist() if method == "ward" else None,
                    "metric": name,
                    "linkage": method,
                    "merges": z.tolist() if samples <= 30 else None,
                    "heights": z[:, 2].tolist(),
                    "leaves": leaves_list(z).tolist(),
                    "cuts": cuts,
                    "cuts_at_height": heights,
                }
            )

with open("hierarchy.json", "w") as file:
    json.dump({"cases": cases}, file)
