"""Upsampling as PyTorch does it (align_corners false and true), and TensorFlow 1's convention by
its documented formula, for src/upsample/.

TensorFlow 1 (`resize_bilinear`, align_corners=False, half_pixel_centers=False) reads output pixel
`o` at `o * in / out`, its neighbors being `floor` of that and the next, no further than the edge.
"""

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)
tensors = {}


def case(name, f, x):
    x = x.clone().requires_grad_()
    y = f(x)
    weights = torch.randn_like(y)
    (y * weights).sum().backward()
    tensors[f"input.{name}.x"] = x.detach()
    tensors[f"input.{name}.weights"] = weights
    tensors[f"output.{name}.y"] = y.detach()
    tensors[f"output.{name}.grad_x"] = x.grad


def tensorflow_matrix(size, out):
    matrix = np.zeros((out, size))
    for o in range(out):
        at = o * size / out
        low = int(np.floor(at))
        high = min(low + 1, size - 1)
        matrix[o, low] += 1 - (at - low)
        matrix[o, high] += at - low
    return torch.tensor(matrix, dtype=torch.float32)


def tensorflow(x, size):
    rows, columns = (tensorflow_matrix(i, o) for i, o in zip(x.shape[2:], size))
    return rows @ x @ columns.T


for (h, w), size in [
    ((4, 3), (8, 6)),
    ((5, 7), (3, 4)),
    ((4, 5), (7, 13)),
    ((1, 3), (4, 1)),
    ((6, 1), (1, 5)),
    ((3, 4), (3, 4)),
]:
    x = torch.randn(2, 2, h, w)
    name = f"{h}x{w}_{size[0]}x{size[1]}"
    case(f"nearest_{name}", lambda x: F.interpolate(x, size, mode="nearest"), x)
    for align in [False, True]:
        f = lambda x: F.interpolate(x, size, mode="bilinear", align_corners=align)
        case(f"{'corners' if align else 'half'}_{name}", f, x)
    case(f"tensorflow_{name}", lambda x: tensorflow(x, size), x)

save_file(tensors, __file__.replace(".py", ".safetensors"))
