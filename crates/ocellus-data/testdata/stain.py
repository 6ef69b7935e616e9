"""Golden values for stain normalization: the formulas of Reinhard et al. (2001) and Macenko et al. (2009) in NumPy."""
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HEIGHT, WIDTH = 22, 19


def noise(shape, shift):
    i = np.arange(np.prod(shape), dtype=np.float64) + shift
    x = np.sin(0.5 + 12.9898 * i) * 43758.5453
    return (x - np.floor(x)).reshape(shape)


def smear(first, second, light, shift):
    """Pixels (height, width, 3) of two stains, some of them background, as 32-bit floats."""
    amount = noise((HEIGHT, WIDTH, 2), shift) ** 2 * np.array([1.1, 0.8])
    amount *= (noise((HEIGHT, WIDTH, 1), shift + 5000) > 0.35)
    density = amount @ np.array([first, second]) + 0.02 * noise((HEIGHT, WIDTH, 3), shift + 9000)
    return (light * 10 ** -density).astype(np.float32)


# Reinhard et al., Eqs. 4 to 8; the inverse is that of the matrix, not its four printed digits.
CONES = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
LAB = np.diag([1 / np.sqrt(3), 1 / np.sqrt(6), 1 / np.sqrt(2)]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])


def log_cones(rgb):
    return np.log10(np.maximum(rgb, 1 / 255) @ CONES.T) @ LAB.T


def from_log_cones(x):
    return 10 ** (x @ np.linalg.inv(LAB).T) @ np.linalg.inv(CONES).T


# CIE 1976 L*a*b* of sRGB (IEC 61966-2-1); the white is that of equal red, green and blue.
XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE = XYZ.sum(1)


def cie_lab(rgb):
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    t = linear @ XYZ.T / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def from_cie_lab(lab):
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    t = np.where(f > 6 / 29, f ** 3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = (t * WHITE) @ np.linalg.inv(XYZ).T
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def reinhard(reference, source, there, back):
    r, s = there(reference).reshape(-1, 3), there(source)
    mean, std = r.mean(0), r.std(0)
    flat = s.reshape(-1, 3)
    return np.stack([mean, std]), np.clip(back((s - flat.mean(0)) * std / flat.std(0) + mean), 0, 1)


# Macenko et al., section 2.
def stains(image, alpha, beta, light):
    """Stains, concentrations of all pixels, their 99th percentiles, and the light of the empty slide."""
    image = np.maximum(image.reshape(-1, 3), 1 / 255)
    empty = np.ones(3) if light is None else np.percentile(image, light, axis=0)
    density = -np.log10(image / empty)
    stained = density[np.linalg.norm(density, axis=1) >= beta]
    plane = np.linalg.svd(stained, full_matrices=False)[2][:2]
    if (stained @ plane[0]).sum() < 0:
        plane[0] = -plane[0]
    angle = np.arctan2(stained @ plane[1], stained @ plane[0])
    ends = [np.cos(a) * plane[0] + np.sin(a) * plane[1] for a in np.percentile(angle, [alpha, 100 - alpha])]
    found = np.array(sorted(ends, key=lambda v: v[2] - v[0]))
    amount = np.linalg.lstsq(found.T, density.T, rcond=None)[0]
    return found, amount, np.percentile(amount, 99, axis=1), empty


def macenko(reference, source, alpha=1.0, beta=0.15, light=95.0):
    wanted, _, most, empty = stains(reference, alpha, beta, light)
    _, amount, own, _ = stains(source, alpha, beta, light)
    image = empty[:, None] * 10 ** -(wanted.T @ (amount * (most / own)[:, None]))
    return np.concatenate([wanted.ravel(), most, empty]), np.clip(image.T.reshape(HEIGHT, WIDTH, 3), 0, 1)


reference = smear([0.62, 0.72, 0.3], [0.12, 0.5, 0.42], 0.96, 0)
source = smear([0.72, 0.6, 0.2], [0.3, 0.42, 0.2], 0.88, 100000)
planes = lambda image: np.ascontiguousarray(np.moveaxis(image, -1, 0))
out = {"input.reference": planes(reference), "input.source": planes(source)}
reference, source = reference.astype(np.float64), source.astype(np.float64)
for name, pair in {"cones": (log_cones, from_log_cones), "lab": (cie_lab, from_cie_lab)}.items():
    out[f"output.{name}.statistics"], image = reinhard(reference, source, *pair)
    out[f"output.{name}"] = planes(image).astype(np.float32)
for name, settings in {"macenko": {}, "published": {"light": None}, "wide": {"alpha": 5.0, "beta": 0.3}}.items():
    out[f"output.{name}.model"], image = macenko(reference, source, **settings)
    out[f"output.{name}"] = planes(image).astype(np.float32)
    print(out[f"output.{name}.model"])
save_file(out, Path(__file__).with_suffix(".safetensors"))
