"""Gaussian smoothing as anomalib 2.7 and SciPy do it, for src/maps/smoothing.rs."""

import torch
from anomalib.models.components import GaussianBlur2d
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter

from formula import fill

x = fill((2, 1, 40, 35), 0.7).float()
tensors = {"input": x}
for sigma in [1, 4]:
    tensors[f"anomalib_{sigma}"] = GaussianBlur2d(sigma=sigma)(x)
for sigma in [4, 8]:
    planes = [gaussian_filter(plane[0].numpy(), sigma=sigma) for plane in x]
    tensors[f"scipy_{sigma}"] = torch.stack([torch.from_numpy(plane)[None] for plane in planes])
save_file(tensors, "smoothing.safetensors")
