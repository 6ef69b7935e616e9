"""Golden cases of the dense CRF: `python crf.py` (pydensecrf2 1.1, NumPy) writes crf.safetensors.

`lattice.*`: Krähenbühl and Koltun's code (pydensecrf) with the appearance kernel alone: the same lattice.
The block begins at row 5 and column 7: at the origin simplices tie, and how ties are broken decides which corners of
weight zero exist.

`exact.*`: mean field with all sums over pairs, in NumPy's float64, with both kernels.
"""

import numpy as np
import pydensecrf.densecrf as dcrf
from safetensors.numpy import save_file

H, W = 18, 23
rng = np.random.default_rng(5)
y, x = np.mgrid[:H, :W]


def scene(bands, classes):
    labels = (np.sin(x / 4.0) + np.cos(y / 5.0 + 0.4) + 1.5) * classes / 4.0
    labels = np.clip(labels.astype(int), 0, classes - 1)
    colors = rng.uniform(30, 220, (classes, bands))
    image = colors[labels].transpose(2, 0, 1) + rng.normal(0, 9, (bands, H, W))
    logits = 1.2 * np.eye(classes)[labels].transpose(2, 0, 1) + rng.normal(0, 1, (classes, H, W))
    p = np.exp(logits)
    return np.round(image).astype(np.float32), (p / p.sum(0)).astype(np.float32)


def reference(image, p, theta, compat, normalization, steps):
    """compat: a number (Potts) or a matrix of costs."""
    bands, classes = len(image), len(p)
    crf = dcrf.DenseCRF2D(W, H, classes)
    unary = -np.log(np.maximum(p, 1e-5)).reshape(classes, -1)
    crf.setUnaryEnergy(np.ascontiguousarray(unary, dtype=np.float32))
    features = np.concatenate([np.stack([x + 7, y + 5]).reshape(2, -1) / theta[0], image.reshape(bands, -1) / theta[1]])
    crf.addPairwiseEnergy(
        np.ascontiguousarray(features, dtype=np.float32),
        compat=compat,
        kernel=dcrf.DIAG_KERNEL,
        normalization=normalization,
    )
    return np.array(crf.inference(steps)).reshape(p.shape)


def exact(image, p, appearance, smoothness, costs, normalization, steps):
    classes = len(p)
    position = np.stack([x, y]).reshape(2, -1).T.astype(float)
    values = image.reshape(len(image), -1).T.astype(float)

    def kernel(features):
        k = np.exp(-0.5 * ((features[:, None] - features[None]) ** 2).sum(2))
        n = k.sum(1)
        return {
            "none": lambda: k,
            "before": lambda: k / n[None],
            "after": lambda: k / n[:, None],
            "symmetric": lambda: k / np.sqrt(n[:, None] * n[None]),
        }[normalization]()

    w1, alpha, beta = appearance
    w2, gamma = smoothness
    k = w1 * kernel(np.hstack([position / alpha, values / beta])) + w2 * kernel(position / gamma)
    log_p = np.log(np.maximum(p.astype(float), 1e-5)).reshape(classes, -1)

    def softmax(z):
        e = np.exp(z - z.max(0))
        return e / e.sum(0)

    q = softmax(log_p)
    for _ in range(steps):
        q = softmax(log_p - costs @ (q @ k.T))
    return q.reshape(p.shape).astype(np.float32)


potts = lambda classes: 1.0 - np.eye(classes)
costs = np.array([[0, 1.5, 0.4], [1.5, 0, 2.0], [0.4, 2.0, 0]])
two, three, four = scene(3, 2), scene(1, 3), scene(4, 3)
out = {}
for name, (image, p) in {"two": two, "three": three, "four": four}.items():
    out[f"input.{name}.image"], out[f"input.{name}.probabilities"] = image, p

for name, constant in {
    "symmetric": dcrf.NORMALIZE_SYMMETRIC,
    "before": dcrf.NORMALIZE_BEFORE,
    "after": dcrf.NORMALIZE_AFTER,
    "none": dcrf.NO_NORMALIZATION,
}.items():
    w = 0.005 if name == "none" else 1.0
    out[f"output.lattice.two.{name}"] = reference(*two, (9.0, 25.0), 4.0 * w, constant, 5)
    out[f"output.lattice.three.{name}"] = reference(*three, (6.3, 15.7), 2.0 * w, constant, 5)
out["output.lattice.four.symmetric"] = reference(*four, (12.0, 30.0), 3.0, dcrf.NORMALIZE_SYMMETRIC, 5)
matrix = np.ascontiguousarray(2.0 * costs, dtype=np.float32)
out["output.lattice.four.matrix"] = reference(*four, (12.0, 30.0), matrix, dcrf.NORMALIZE_SYMMETRIC, 5)

for name in ["none", "before", "after", "symmetric"]:
    w = 0.02 if name == "none" else 1.0
    out[f"output.exact.two.{name}"] = exact(*two, (4.0 * w, 9.0, 25.0), (2.0 * w, 2.0), potts(2), name, 5)
out["output.exact.four.matrix"] = exact(*four, (3.0, 12.0, 30.0), (1.0, 3.0), costs, "symmetric", 5)
save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, "crf.safetensors")
