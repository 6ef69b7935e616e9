"""Reference of DINOv2: the authors' vision transformer, written out in PyTorch.

`dinov2/models/vision_transformer.py` without drop path and masks: positions are resized by
`interpolate(mode="bicubic", scale_factor=(size + 0.1) / side)`, normalizations have an epsilon of
1e-6, GELU is the exact one. Weights by `formula.py`; the images are `fill` with phase 0.25.
"""

import torch
from formula import fill, set_weights
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

WIDTH, BLOCKS, HEADS, PATCH, SIDE = 24, 3, 3, 4, 5


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return x * self.gamma


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.attn, self.ls1 = nn.LayerNorm(WIDTH, 1e-6), Attention(), Scale()
        self.norm2, self.mlp, self.ls2 = nn.LayerNorm(WIDTH, 1e-6), Mlp(), Scale()

    def forward(self, x):
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, SIDE * SIDE + 1, WIDTH))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, WIDTH, PATCH, PATCH)})
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH, 1e-6)

    def positions(self, h, w):
        if (h, w) == (SIDE, SIDE):
            return self.pos_embed
        patches = self.pos_embed[:, 1:].reshape(1, SIDE, SIDE, WIDTH).permute(0, 3, 1, 2)
        factor = ((h + 0.1) / SIDE, (w + 0.1) / SIDE)
        patches = F.interpolate(patches, scale_factor=factor, mode="bicubic")
        assert patches.shape[-2:] == (h, w)
        patches = patches.permute(0, 2, 3, 1).reshape(1, h * w, WIDTH)
        return torch.cat([self.pos_embed[:, :1], patches], 1)

    def forward(self, x, norm):
        patches = self.patch_embed["proj"](x)
        b, _, h, w = patches.shape
        x = torch.cat([self.cls_token.expand(b, -1, -1), patches.flatten(2).transpose(1, 2)], 1)
        x = x + self.positions(h, w)
        for block in self.blocks:
            x = block(x)
            y = (self.norm(x) if norm else x)[:, 1:]
            yield y.transpose(1, 2).reshape(b, WIDTH, h, w)


network = Network().double()
set_weights(network)
tensors = {}
with torch.no_grad():
    for name, norm, size in [("same", True, (20, 20)), ("wide", True, (12, 32)), ("plain", False, (24, 16))]:
        for block, features in enumerate(network(fill((2, 3, *size), 0.25), norm)):
            tensors[f"{name}.{block}"] = features.float().contiguous()
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
