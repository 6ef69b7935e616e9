"""Golden values for resizing: PyTorch's interpolate, torchvision's antialias, Pillow's filters."""
import math
import numpy as np
import torch
from PIL import Image
from pathlib import Path
from safetensors.torch import save_file

torch.set_num_threads(1)
H, W = 23, 17
i = torch.arange(2 * H * W, dtype=torch.float64)
x = torch.sin(0.5 + 12.9898 * i) * 43758.5453
x = (x - x.floor()).float().reshape(2, H, W)
out = {"input.image": x}


def pillow(x, size, kind):
    planes = [Image.fromarray(p.numpy(), mode="F").resize((size[1], size[0]), kind) for p in x]
    return torch.from_numpy(np.stack([np.asarray(p) for p in planes]))


for h, w in [(5, 7), (16, 9), (31, 40)]:
    f = torch.nn.functional.interpolate
    out[f"output.interpolate_{h}x{w}"] = f(x[None], (h, w), mode="bilinear", align_corners=False)[0]
    out[f"output.antialias_{h}x{w}"] = f(x[None], (h, w), mode="bilinear", align_corners=False, antialias=True)[0]
    out[f"output.box_{h}x{w}"] = pillow(x, (h, w), Image.BOX)
    lanczos = pillow(x, (h, w), Image.LANCZOS)
    out[f"output.lanczos_{h}x{w}"] = lanczos.clamp(x.min(), x.max())
save_file({k: v.contiguous() for k, v in out.items()}, Path(__file__).with_suffix(".safetensors"))
