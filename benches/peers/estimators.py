"""The estimators of `ocellus_benches::Estimator` in scikit-learn, image features in NumPy."""

import warnings

import numpy as np
import torch
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.decomposition import NMF, PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.svm import SVC

SOLVERS = {"covariance": "covariance_eigh", "randomized": "randomized"}


class Forest:
    def __init__(self, trees):
        self.forest = RandomForestClassifier(trees, random_state=0, n_jobs=torch.get_num_threads())

    def fit(self, x, y):
        self.forest.fit(x, y)
        self.shares = self.forest.predict_proba(x)


class ImageFeatures:
    """Gray histogram, low frequencies, radial and angular profile, as `ImageFeatures` has them."""

    BINS, BLOCK, RINGS, SECTORS = 32, 8, 16, 8

    def plan(self, height, width):
        fu, fv = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
        radius = np.hypot(fu, fv)
        inside = (radius > 0) & (radius < 0.5)
        self.inside = inside.ravel()
        self.rings = np.ceil(2 * self.RINGS * radius[inside]).astype(int) - 1
        sectors = np.floor(self.SECTORS * np.arctan2(fu, fv) / np.pi + 0.5).astype(int)
        self.sectors = sectors[inside] % self.SECTORS
        b = self.BLOCK
        block = [(u, 0) for u in range(b)] + [(u, v) for v in range(1, b) for u in range(1 - b, b)]
        self.block = tuple(np.array(block).T)

    def extract(self, image):
        magnitudes = np.abs(np.fft.fft2(image))
        inside = magnitudes.ravel()[self.inside]
        parts = [magnitudes[self.block]]
        for places in (self.rings, self.sectors):
            parts.append(np.bincount(places, inside) / np.bincount(places))
        counts = np.histogram(image, self.BINS, (0, 256))[0] / image.size
        return np.concatenate([counts, np.log1p(np.concatenate(parts))])

    def fit(self, images, _):
        if images.dtype != np.uint8:
            raise TypeError("images of 8 bits are expected")
        if not hasattr(self, "rings"):
            self.plan(*images.shape[1:])
        self.features = np.stack([self.extract(image) for image in images])


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
        case "forest":
            forest = Forest(what["trees"])
            return forest, lambda: [forest.shares.max(axis=1).mean()]
        case "image_features":
            features = ImageFeatures()
            return features, lambda: features.features.astype(np.float32)
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
        x = tensors["input.0"].numpy()
        if what["name"] == "image_features":
            self.x = ((x[:, 0] + np.float32(1)) * np.float32(127.5)).astype(np.uint8)
        else:
            self.x = x[0, 0].copy()
        self.predict = what.get("predict", False)
        self.labeled = what["name"] in ("svm", "forest")

    def run(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.estimator.fit(self.x, labels(self.x) if self.labeled else None)
            if self.predict:
                self.estimator.predict(self.x)

    def results(self):
        self.run()
        return {"output.0": torch.tensor(self.compared())}
