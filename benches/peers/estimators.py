"""The estimators of `ocellus_benches::Estimator` in scikit-learn."""

import warnings

import numpy as np
import torch
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.decomposition import NMF, PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.svm import SVC

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
        case "svm":
            svm = SVC()
            return svm, lambda: [dual_objective(svm)]
        case name:
            raise ValueError(f"no estimator `{name}` here")


def dual_objective(svm):
    dual = svm.dual_coef_[0]
    of_kernel = svm.decision_function(svm.support_vectors_) - svm.intercept_
    return dual @ of_kernel / 2 - np.abs(dual).sum()


def labels(x):
    """Whether the first 8 features are above their mean, the other way round for every tenth."""
    sums = x[:, :8].astype(float).sum(1)
    return (sums > sums.mean()) != (np.arange(len(x)) % 10 == 0)


class ScikitLearn:
    def __init__(self, case, tensors):
        what = case["module"]["what"]
        self.estimator, self.compared = build(what)
        self.x = tensors["input.0"][0, 0].numpy().copy()
        self.predict = what.get("predict", False)
        self.labeled = what["name"] == "svm"

    def run(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.estimator.fit(self.x, labels(self.x) if self.labeled else None)
            if self.predict:
                self.estimator.predict(self.x)

    def results(self):
        self.run()
        return {"output.0": torch.tensor(self.compared())}
