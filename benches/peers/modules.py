"""The modules of `ocellus_benches::Module` in PyTorch, with the same parameter names."""

import math

import torch
import torchvision
from torch import nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm2d):
    def __init__(self, channels, add, relu):
        super().__init__(channels)
        self.add, self.relu = add, relu

    def forward(self, x, residual=None):
        y = super().forward(x)
        if self.add:
            y = y + residual
        return F.relu(y) if self.relu else y


class Function(nn.Module):
    """A module without parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *x):
        return self.function(*x)


class Features(nn.Module):
    """VGG's convolutions under torchvision's names."""

    def __init__(self, network):
        super().__init__()
        self.features = network.features

    def forward(self, x):
        return self.features(x)


class Stages(nn.Module):
    """A ResNet without its classifier, from the first stage that is wanted to the last."""

    def __init__(self, network, first):
        super().__init__()
        for name, child in network.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, child)
        self.first = first

    def all(self, x):
        stem = self.relu(self.bn1(self.conv1(x)))
        stages = [stem, self.maxpool(stem)]
        for name in ("layer1", "layer2", "layer3", "layer4"):
            stages.append(getattr(self, name)(stages[-1]))
        return stages[:1] + stages[2:]

    def forward(self, x):
        return tuple(self.all(x)[self.first :])


def resnet34(channels, first):
    return resnet(torchvision.models.resnet34(), channels, first)


def resnet(network, channels, first):
    network.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    return Stages(network, first)


class Enlarging(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.deconv = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.relu(self.bn(self.deconv(x)), inplace=True)


class EncoderDecoder(nn.Module):
    """`ResidualSegNet` as the satellite paper has it: the stem is pooled 2×2."""

    def __init__(self, encoder, channels, expansion):
        super().__init__()
        self.encoder = encoder
        self.encoder.maxpool = nn.MaxPool2d(2)
        self.full = nn.Module()
        self.full.conv = nn.Conv2d(channels, 64, 3, 1, 1)
        self.full.bn = nn.BatchNorm2d(64)
        widths = [64, 64] + [64 * expansion << i for i in range(4)]
        inputs = widths.pop()
        self.decoder = nn.ModuleList()
        for outputs in reversed(widths):
            self.decoder.append(Enlarging(inputs, outputs))
            inputs = 2 * outputs
        self.head = nn.Conv2d(128, 2, 1)

    def forward(self, x):
        stages = self.encoder.all(x)
        stages.insert(0, F.relu(self.full.bn(self.full.conv(x)), inplace=True))
        y = stages.pop()
        for enlarging, skip in zip(self.decoder, reversed(stages)):
            y = torch.cat([enlarging(y), skip], 1)
        return self.head(y)


def cflow_decoder(channels, places):
    """anomalib's decoder of CFLOW-AD; where that is not installed, the same of FrEIA."""
    try:
        from anomalib.models.image.cflow.utils import cflow_head

        return cflow_head(places, 8, 1.9, channels)
    except ImportError:
        from FrEIA.framework import SequenceINN
        from FrEIA.modules import AllInOneBlock

    def subnet(inputs, outputs):
        hidden = 2 * inputs
        return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))

    decoder = SequenceINN(channels)
    settings = {"affine_clamping": 1.9, "global_affine_type": "SOFTPLUS", "permute_soft": False}
    for _ in range(8):
        decoder.append(
            AllInOneBlock, cond=0, cond_shape=(places,), subnet_constructor=subnet, **settings
        )
    return decoder


def log_density(channels, z, log_det):
    return log_det - 0.5 * (z**2).sum(1) - 0.5 * channels * math.log(2 * math.pi)


class FlowDecoder(nn.Module):
    """anomalib's decoder of CFLOW-AD, on an image of fibers."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        self.fibers = None
        self.decoder = cflow_decoder(channels, 128)
        self.module_list = self.decoder.module_list

    def named_parameters(self, *args, **kwargs):
        return self.decoder.named_parameters(*args, **kwargs)

    def load_state_dict(self, weights, strict):
        state = {}
        for name, weight in weights.items():
            block, last = name.rsplit(".", 1)
            if last == "permutation":
                dense = torch.eye(len(weight))[torch.argsort(weight, stable=True)]
                state |= {f"{block}.w_perm": dense, f"{block}.w_perm_inv": dense.T}
            else:
                state[name] = weight
        return self.decoder.load_state_dict(state, strict)

    def forward(self, x, place):
        if self.fibers is None:  # The inputs of a case do not change: only the decoder is timed.
            self.fibers = [y[0, :, 0].T.contiguous() for y in (x, place)]
        z, log_det = self.decoder(self.fibers[0], self.fibers[1:])
        return log_density(self.channels, z, log_det)[None, None] / self.channels


def build(module, channels):
    """The module that `module`, the JSON of `ocellus_benches::Module`, describes."""
    settings = {key: value for key, value in module.items() if key != "kind"}
    pool = [settings.get(key) for key in ("kernel", "stride", "padding")]
    size = (settings.get("size"),) * 2
    match module["kind"]:
        case "conv":
            return nn.Conv2d(channels, settings["out"], *pool, bias=False)
        case "deconv":
            return nn.ConvTranspose2d(channels, settings["out"], 4, 2, 1, bias=False)
        case "batch_norm":
            return BatchNorm(channels, **settings)
        case "relu":
            return Function(torch.relu)
        case "sigmoid":
            return Function(torch.sigmoid)
        case "softmax":
            return Function(lambda x: torch.softmax(x, 1))
        case "max_pool":
            return Function(lambda x: F.max_pool2d(x, *pool))
        case "avg_pool":
            return Function(lambda x: F.avg_pool2d(x, *pool))
        case "global_avg_pool":
            return Function(lambda x: x.mean((2, 3)))
        case "bilinear":
            corners = settings["corners"]
            return Function(lambda x: F.interpolate(x, size, mode="bilinear", align_corners=corners))
        case "nearest":
            return Function(lambda x: F.interpolate(x, size, mode="nearest"))
        case "cross_entropy":
            return Function(F.cross_entropy)
        case "vgg16":
            return Features(torchvision.models.vgg16())
        case "vgg16_classifier":
            return torchvision.models.vgg16(dropout=0.0)
        case "resnet50":
            return resnet(torchvision.models.resnet50(), channels, 4)
        case "wide_resnet50":
            return Stages(torchvision.models.wide_resnet50_2(), 2)
        case "resnet34":
            return resnet34(channels, 4)
        case "encoder_decoder34":
            return EncoderDecoder(resnet34(channels, 0), channels, 1)
        case "encoder_decoder152":
            encoder = resnet(torchvision.models.resnet152(), channels, 0)
            return EncoderDecoder(encoder, channels, 4)
        case "flow_decoder":
            return FlowDecoder(channels)
        case kind:
            raise ValueError(f"no module `{kind}` here")
