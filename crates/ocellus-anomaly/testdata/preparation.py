"""Resizing, cropping and normalizing as torchvision does, for src/encoder/preparation.rs."""

import torchvision.transforms.v2 as T
from safetensors.torch import save_file

from formula import fill

x = (fill((2, 3, 17, 23), 0.3) * 0.5 + 0.5).float()
mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
cases = {
    "shrink": [T.Resize((7, 9), antialias=True)],
    "grow": [T.Resize((31, 40), antialias=True)],
    "mixed": [T.Resize((30, 8), antialias=True)],
    "crop": [T.Resize(14, antialias=True), T.CenterCrop((9, 12))],
    "normalized": [T.Resize((8, 8), antialias=True), T.Normalize(mean, std)],
}
tensors = {name: T.Compose(steps)(x).contiguous() for name, steps in cases.items()}
save_file({"input": x} | tensors, "preparation.safetensors")
