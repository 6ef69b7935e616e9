"""Golden values for turning a tile and cutting out its middle: scipy.ndimage.rotate, orders 1 and 0."""
import numpy as np
import torch
from pathlib import Path
from safetensors.torch import save_file
from scipy import ndimage

out = {}
for side, size in [(31, 21), (44, 30)]:
    i = np.arange(side * side, dtype=np.float64)
    x = np.sin(0.5 + 12.9898 * i) * 43758.5453
    x = (x - np.floor(x)).astype(np.float32).reshape(1, side, side)
    out[f"input.tile_{side}"] = x
    start = (side - size) // 2
    for degrees in [0, 17, 90, 133, 180, 301]:
        for order, name in [(1, "bilinear"), (0, "nearest")]:
            planes = [ndimage.rotate(p.astype(np.float64), degrees, reshape=False, order=order) for p in x]
            cut = np.stack(planes)[:, start : start + size, start : start + size]
            out[f"output.{name}_{side}_{degrees}"] = cut.astype(np.float32)
save_file({k: torch.from_numpy(v).contiguous() for k, v in out.items()}, Path(__file__).with_suffix(".safetensors"))
