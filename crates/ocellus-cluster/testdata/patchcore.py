"""Coreset, neighbors and random projection as anomalib 2.7 and scikit-learn 1.9 give them.

The samples are `samples(rows, columns)` here and in the tests.
"""

import json

import numpy as np
import torch
from anomalib.models.components import KCenterGreedy
from sklearn.neighbors import NearestNeighbors
from sklearn.random_projection import (
    SparseRandomProjection,
    johnson_lindenstrauss_min_dim,
)


def samples(rows, columns, phase):
    i, j = np.arange(rows)[:, None], np.arange(columns)[None]
    return (np.sin(phase + 1.3 * i + 0.7 * j) + np.cos(0.11 * i * j)).astype(np.float32)


def rounded(x):
    return [[float(f"{v:.9g}") for v in row] for row in np.asarray(x, np.float64)]


def coreset():
    torch.manual_seed(5)
    x = torch.from_numpy(samples(400, 30, 0))
    sampler = KCenterGreedy(x, 0.2)
    indices = sampler.select_coreset_idxs()
    weights = sampler.model.sparse_random_matrix
    size = weights.abs().max().item()
    distances = torch.cdist(sampler.features, sampler.features[indices]).min(1).values
    return {
        "dims": weights.shape[0],
        "size": size,
        "signs": ["".join("-0+"[int(s) + 1] for s in row.sign().tolist()) for row in weights],
        "indices": indices,
        "radius": distances.max().item(),
    }


def neighbors():
    x, queries = samples(300, 17, 0), samples(25, 17, 2)
    model = NearestNeighbors(n_neighbors=7, algorithm="brute").fit(x.astype(np.float64))
    distances, indices = model.kneighbors(queries.astype(np.float64))
    return {"distances": rounded(distances), "indices": indices.tolist()}


def projection():
    x = samples(12, 50, 1).astype(np.float64)
    model = SparseRandomProjection(n_components=20, random_state=3, dense_output=True).fit(x)
    weights = model.components_.toarray()
    return {
        "density": model.density_,
        "largest": float(np.abs(weights).max()),
        "weights": rounded(weights),
        "output": rounded(model.transform(x)),
        "dims": [
            [n, e, int(johnson_lindenstrauss_min_dim(n, eps=e))]
            for n in (2, 100, 163856, 1537600)
            for e in (0.1, 0.5, 0.9)
        ],
    }


case = {"coreset": coreset(), "neighbors": neighbors(), "projection": projection()}
with open(__file__.replace(".py", ".json"), "w") as file:
    json.dump(case, file, separators=(",", ":"))
