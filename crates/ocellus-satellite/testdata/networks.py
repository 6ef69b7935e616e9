"""Reference of the networks: the same in PyTorch, narrow; outputs, gradients and statistics as summaries.

Residual units are torchvision's; all weights by `formula.py` of `ocellus-backbones`, in double
precision: no ReLU is near enough to zero to depend on rounding. Images are `fill` with phase 0.25.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "ocellus-backbones" / "testdata"))
from formula import fill, set_weights, summary  # noqa: E402

UNITS = {18: (BasicBlock, (2, 2, 2, 2)), 50: (Bottleneck, (3, 4, 6, 3))}


def extended(x, multiple):
    height, width = x.shape[2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="reflect")


class Encoder(nn.Module):
    def __init__(self, depth, bands, channels, pool):
        super().__init__()
        unit, counts = UNITS[depth]
        self.conv1 = nn.Conv2d(bands, channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.pool = pool
        before = channels
        for stage, count in enumerate(counts):
            planes = channels << stage
            units = []
            for i in range(count):
                stride = 2 if i == 0 and stage > 0 else 1
                after = planes * unit.expansion
                shortcut = None
                if stride != 1 or before != after:
                    conv = nn.Conv2d(before, after, 1, stride, bias=False)
                    shortcut = nn.Sequential(conv, nn.BatchNorm2d(after))
                units.append(unit(before, planes, stride, shortcut))
                before = after
            self.add_module(f"layer{stage + 1}", nn.Sequential(*units))

    def forward(self, x):
        stem = F.relu(self.bn1(self.conv1(x)))
        stages = [stem, self.pool(stem)]
        for name in ("layer1", "layer2", "layer3", "layer4"):
            stages.append(getattr(self, name)(stages[-1]))
        return stages[:1] + stages[2:]


class ConvBlock(nn.Module):
    def __init__(self, inputs, outputs, norm=True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn = nn.BatchNorm2d(outputs) if norm else nn.Identity()

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class DecoderBlock(nn.Module):
    def __init__(self, inputs, outputs, refining):
        super().__init__()
        self.deconv = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)
        self.bn = nn.BatchNorm2d(outputs)
        self.refine = nn.ModuleList(ConvBlock(outputs, outputs) for _ in range(refining))

    def forward(self, x):
        y = F.relu(self.bn(self.deconv(x)))
        for block in self.refine:
            y = block(y)
        return y


class ResidualSegNet(nn.Module):
    """The paper's network, or that of the authors' later code."""

    stride = 32

    def __init__(self, depth, authors, bands=4, classes=3, channels=4):
        super().__init__()
        pool = nn.MaxPool2d(3, 2, 1) if authors else nn.MaxPool2d(2)
        self.encoder = Encoder(depth, bands, channels, pool)
        expansion = UNITS[depth][0].expansion
        maps = [channels] + [channels * expansion << i for i in range(4)]
        inputs = maps.pop()
        blocks = []
        for outputs in [*reversed(maps), channels]:
            blocks.append(DecoderBlock(inputs, outputs, 2 if authors else 0))
            inputs = 2 * outputs
        self.decoder = nn.ModuleList(blocks)
        if not authors:
            self.full = ConvBlock(bands, channels)
        self.authors = authors
        self.head = nn.Conv2d(channels if authors else 2 * channels, classes, 1)

    def forward(self, x):
        height, width = x.shape[2:]
        x = extended(x, self.stride)
        skips = self.encoder(x)
        y = skips.pop()
        if not self.authors:
            skips.insert(0, self.full(x))
        for i, block in enumerate(self.decoder):
            y = block(y)
            if i < len(skips):
                y = torch.cat([y, skips[len(skips) - 1 - i]], 1)
        if self.authors:
            y = F.relu(y)
        return self.head(y)[:, :, :height, :width]


class Chain(nn.Sequential):
    def __init__(self, inputs, outputs, count, norm):
        blocks = [ConvBlock(outputs if i else inputs, outputs, norm) for i in range(count)]
        super().__init__(*blocks)


class UNet(nn.Module):
    stride = 16

    def __init__(self, norm, bands=4, classes=3, channels=4):
        super().__init__()
        maps = [channels << i for i in range(5)]
        inputs = [bands, *maps]
        self.down = nn.ModuleList(Chain(inputs[i], maps[i], 2, norm) for i in range(4))
        self.middle = Chain(maps[3], maps[4], 2, norm)
        self.up = nn.ModuleList(Chain(2 * maps[i], maps[i], 2, norm) for i in range(4))
        for i, chain in enumerate(self.up):
            chain.deconv = nn.ConvTranspose2d(maps[i + 1], maps[i], 2, 2)
        self.head = nn.Conv2d(channels, classes, 1)

    def forward(self, x):
        height, width = x.shape[2:]
        x = extended(x, self.stride)
        skips = []
        for chain in self.down:
            skips.append(chain(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.middle(x)
        for chain, skip in zip(reversed(self.up), reversed(skips)):
            x = torch.cat([chain.deconv(x), skip], 1)
            for block in list(chain.children())[:2]:
                x = block(x)
        return self.head(x)[:, :, :height, :width]


def passes(network):
    """An evaluation at an odd size, a training step, and an evaluation with the statistics after it."""
    set_weights(network).double()
    odd = fill((1, 4, 50, 40), 0.25)
    names = sorted(n for n in network.state_dict() if not n.endswith("num_batches_tracked"))
    tensors = {"output.names": torch.tensor(list("\n".join(names).encode()), dtype=torch.uint8)}
    with torch.no_grad():
        tensors["output.eval"] = summary(network.eval()(odd))
    y = network.train()(fill((2, 4, 64, 32), 0.25))
    (y * fill(tuple(y.shape), 0.5)).sum().backward()
    tensors["output.train"] = summary(y)
    for name, parameter in network.named_parameters():
        tensors[f"gradient.{name}"] = summary(parameter.grad, 8)
    for name, buffer in network.named_buffers():
        if "running_" in name:
            tensors[f"statistics.{name}"] = summary(buffer, 2)
    with torch.no_grad():
        tensors["output.after"] = summary(network.eval()(odd))
    return tensors


torch.set_num_threads(2)
for name, network in {
    "prop18": ResidualSegNet(18, False),
    "prop50": ResidualSegNet(50, False),
    "prop18_authors": ResidualSegNet(18, True),
    "prop50_authors": ResidualSegNet(50, True),
    "unet19": UNet(False),
    "unet19_bn": UNet(True),
}.items():
    save_file(passes(network), HERE / f"{name}.safetensors")
