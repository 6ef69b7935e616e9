"""Golden values for edges: scikit-image's feature.canny and filters.sobel, in float64."""
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from skimage.feature import canny
from skimage.filters import sobel


def noise(height, width, shift):
    i = np.arange(height * width, dtype=np.float64) + shift
    x = np.sin(0.5 + 12.9898 * i) * 43758.5453
    return (x - np.floor(x)).reshape(height, width)


def cell(height, width):
    y, x = np.mgrid[:height, :width].astype(np.float64)
    away = np.hypot(y - 0.47 * height, 1.2 * (x - 0.52 * width))
    body = 1 / (1 + np.exp((away - 0.33 * height) / 0.7))
    nucleus = 1 / (1 + np.exp((np.hypot(y - 17.3, x - 15.1) - 6.2) / 0.4))
    return 0.9 - 0.25 * body - 0.4 * nucleus + 0.04 * noise(height, width, 7)


out = {}
for name, image in {"noise": noise(24, 31, 0), "cell": cell(40, 36), "thin": noise(3, 7, 3)}.items():
    image = image.astype(np.float32)
    out[f"input.{name}"] = image
    image = image.astype(np.float64)
    out[f"output.sobel.{name}"] = sobel(image).astype(np.float32)
    for kind, settings in {
        "default": {},
        "wide": {"sigma": 2.3, "low_threshold": 0.05, "high_threshold": 0.3},
        "sharp": {"sigma": 0.6, "low_threshold": 0.4, "high_threshold": 0.9},
    }.items():
        edges = canny(image, **settings)
        print(name, kind, edges.sum())
        out[f"output.canny_{kind}.{name}"] = edges.astype(np.uint8)
save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, Path(__file__).with_suffix(".safetensors"))
