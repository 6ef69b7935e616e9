"""Writes features.json: histograms and Fourier magnitudes by NumPy and scikit-image.

    python features.py
"""

import json
import math
import pathlib

import numpy as np
from skimage.color import rgb2hsv

BINS = {"gray": 10, "rgb": 7, "hsv": 9}


def fill(height, width, channels):
    """Smooth colors with noise, the same in Rust."""
    i = np.arange(height * width * channels, dtype=np.uint32)
    h = i * np.uint32(0x9E3779B9)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    noise = (h >> np.uint32(25)).reshape(height, width, channels)
    r, c, k = np.indices((height, width, channels))
    return ((noise + 3 * r + 5 * c * (k + 1)) % 256).astype(np.uint8)


def gray(image):
    """As Pillow's `convert("L")`."""
    if image.shape[2] == 1:
        return image[:, :, 0]
    r, g, b = image.astype(np.uint32).transpose(2, 0, 1)
    return ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16).astype(np.uint8)


def histograms(image):
    """Counts; the bins of colors are checked not to hang on rounding."""
    rgb = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    counts = [np.histogram(gray(image), BINS["gray"], (0, 256))[0]]
    counts += [np.histogram(rgb[:, :, k], BINS["rgb"], (0, 256))[0] for k in range(3)]
    hsv = rgb2hsv(rgb)
    edges = np.abs(hsv * BINS["hsv"] - np.round(hsv * BINS["hsv"]))
    # On an edge the nearest fraction of whole numbers is meant.
    hsv = np.where(edges < 1e-9, np.round(hsv * BINS["hsv"]) / BINS["hsv"] + 1e-12, hsv)
    counts += [np.histogram(np.minimum(hsv[:, :, k], 1), BINS["hsv"], (0, 1))[0] for k in range(3)]
    return np.concatenate(counts)


def dft(image, block, rings, sectors, log):
    height, width = image.shape[:2]
    f = np.abs(np.fft.fft2(gray(image)))
    low = [f[u, 0] for u in range(block)]
    low += [f[u % height, v] for v in range(1, block) for u in range(1 - block, block)]
    in_rings, in_sectors = [[] for _ in range(rings)], [[] for _ in range(sectors)]
    for u in range(height):
        for v in range(width):
            fu, fv = np.fft.fftfreq(height)[u], np.fft.fftfreq(width)[v]
            signed = [round(fu * height), round(fv * width)]
            numerator = 4 * ((signed[0] * width) ** 2 + (signed[1] * height) ** 2)
            if numerator == 0 or numerator >= (height * width) ** 2:
                continue
            in_rings[math.isqrt((rings * rings * numerator - 1) // (height * width) ** 2)].append(f[u, v])
            sector = math.floor(sectors * math.atan2(fu, fv) / math.pi + 0.5) % sectors
            in_sectors[sector].append(f[u, v])
    result = np.array(low + [np.mean(m) for m in in_rings + in_sectors])
    return np.log1p(result) if log else result


SIZES = [(16, 16, 3), (15, 20, 3), (21, 17, 1), (32, 9, 3)]
result = []
for size in SIZES:
    image = fill(*size)
    result.append({
        "size": size,
        "histograms": histograms(image).tolist(),
        "dft": dft(image, 3, 4, 6, False).tolist(),
        "log": dft(image, 2, 3, 4, True).tolist(),
    })
file = pathlib.Path(__file__).with_suffix(".json")
file.write_text(json.dumps(result, separators=(",", ":")) + "\n")
