"""Reference of k-means: scikit-learn's runs from given centers, its greedy k-means++ with its draws, and its
mini-batch steps."""

import json

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans, kmeans_plusplus

rng = np.random.default_rng(5)


def blobs(samples, features, clusters, spread):
    centers = rng.normal(size=(clusters, features)) * 3
    return (centers[rng.integers(clusters, size=samples)] + rng.normal(size=(samples, features)) * spread).round(3)


def run(x, centers, tol=1e-4, max_iter=300):
    model = KMeans(len(centers), init=centers, n_init=1, tol=tol, max_iter=max_iter).fit(x)
    return {
        "x": x.tolist(),
        "init": centers.tolist(),
        "tol": tol,
        "max_iter": max_iter,
        "labels": model.labels_.tolist(),
        "centers": model.cluster_centers_.tolist(),
        "inertia": model.inertia_,
        "iterations": model.n_iter_,
    }


runs = []
for samples, features, clusters in [(40, 2, 3), (50, 5, 4), (30, 12, 2), (60, 1, 5), (45, 3, 3), (64, 4, 8)]:
    for spread in (0.5, 2.0):
        x = blobs(samples, features, clusters, spread)
        runs.append(run(x, x[rng.choice(samples, clusters, replace=False)]))
runs.append(run(np.array(runs[1]["x"]), np.array(runs[1]["x"])[:3], tol=0.0))
runs.append(run(np.array(runs[3]["x"]), np.array(runs[3]["x"])[:4], max_iter=2))
# The last center is far from all samples: its cluster is empty at first.
x = blobs(40, 2, 3, 1.0)
runs.append(run(x, np.array([x[0], x[1], [500.0, 500.0]])))
runs.append(run(x, np.array([x[0], [400.0, -300.0], x[1], [500.0, 500.0]])))


class Recorder(np.random.RandomState):
    """Notes the uniform draws."""

    def __init__(self, seed):
        super().__init__(seed)
        self.draws = []

    def uniform(self, *args, **kwargs):
        values = super().uniform(*args, **kwargs)
        self.draws += np.atleast_1d(values).tolist()
        return values

    def choice(self, n, p=None):
        draw = super().uniform()
        self.draws.append(draw)
        return int(np.searchsorted(np.cumsum(p) / np.sum(p), draw, side="right"))


seedings = []
for seed, (samples, features, clusters) in enumerate([(30, 2, 3), (40, 3, 8), (25, 6, 2), (50, 2, 12)]):
    x = blobs(samples, features, 4, 1.0)
    recorder = Recorder(seed)
    _, rows = kmeans_plusplus(x, clusters, random_state=recorder)
    seedings.append({"x": x.tolist(), "draws": recorder.draws, "rows": rows.tolist()})

x = blobs(60, 3, 3, 1.0)
batches = [rng.integers(60, size=20) for _ in range(6)]
model = MiniBatchKMeans(3, init=x[:3], n_init=1, reassignment_ratio=0.0)
steps = []
for batch in batches:
    model.partial_fit(x[batch])
    steps.append({"rows": batch.tolist(), "centers": model.cluster_centers_.tolist()})
mini_batch = {"x": x.tolist(), "init": x[:3].tolist(), "steps": steps}

with open("kmeans.json", "w") as file:
    json.dump({"runs": runs, "seedings": seedings, "mini_batch": mini_batch}, file)
