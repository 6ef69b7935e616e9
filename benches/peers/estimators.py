"""The estimators of `ocellus_benches::Estimator` in scikit-learn."""

import warnings

import torch
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.decomposition import NMF, PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

SOLVERS = {"covariance": "covariance_eigh", "randomized": "randomized"}


def build(what):
    """The estimator, and what is compared of it once it is fitted."""
    match what["name"]:
        case "pca":
            pca = PCA(what["components"], svd_solver=SOLVERS[what["solver"]], random_state=0)
            return pca, lambda: pca.explained_variance_
        case "nmf":
            nmf = NMF(
                what["components"],
                init="nndsvda",
                max_iter=what["iterations"],
                tol=0,
                random_state=0,
            )
            return nmf, lambda: [nmf.reconstruction_err_]
        case "kmeans":
            kmeans = KMeans(what["clusters"], n_init=what["runs"], random_state=0)
            return kmeans, lambda: [kmeans.inertia_]
        case "ward":
            ward = AgglomerativeClustering(2, linkage="ward", compute_distances=True)
            return ward, lambda: ward.distances_[:-17:-1].copy()
        case "gmm":
            gmm = GaussianMixture(
                what["components"], max_iter=what["iterations"], tol=0, random_state=0
            )
            return gmm, lambda: [gmm.lower_bound_]
        case name:
            raise ValueError(f"no estimator `{name}` here")


class ScikitLearn:
    def __init__(self, case, tensors):
        self.estimator, self.compared = build(case["module"]["what"])
        self.x = tensors["input.0"][0, 0].numpy().copy()

    def run(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.estimator.fit(self.x)

    def results(self):
        self.run()
        return {"output.0": torch.tensor(self.compared())}
