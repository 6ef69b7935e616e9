"""The modules of `ocellus_benches::Module` in PyTorch, with the same parameter names."""

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
    network = torchvision.models.resnet34()
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

    def __init__(self, channels):
        super().__init__()
        self.encoder = resnet34(channels, 0)
        self.encoder.maxpool = nn.MaxPool2d(2)
        self.full = nn.Module()
        self.full.conv = nn.Conv2d(channels, 64, 3, 1, 1)
        self.full.bn = nn.BatchNorm2d(64)
        sizes = [(512, 256), (512, 128), (256, 64), (128, 64), (128, 64)]
        self.decoder = nn.ModuleList(Enlarging(*pair) for pair in sizes)
        self.head = nn.Conv2d(128, 2, 1)

    def forward(self, x):
        stages = self.encoder.all(x)
        stages.insert(0, F.relu(self.full.bn(self.full.conv(x)), inplace=True))
        y = stages.pop()
        for enlarging, skip in zip(self.decoder, reversed(stages)):
            y = torch.cat([enlarging(y), skip], 1)
        return self.head(y)


class FlowDecoder(nn.Module):
    """anomalib's decoder of CFLOW-AD, on an image of fibers."""

    def __init__(self, channels):
        super().__init__()
        from anomalib.models.image.cflow.utils import cflow_head

        self.channels = channels
        self.fibers = None
        self.decoder = cflow_head(128, 8, 1.9, channels)
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
        from anomalib.models.image.cflow.utils import get_logp

        if self.fibers is None:  # The inputs of a case do not change: only the decoder is timed.
            self.fibers = [y[0, :, 0].T.contiguous() for y in (x, place)]
        z, log_det = self.decoder(self.fibers[0], self.fibers[1:])
        return get_logp(self.channels, z, log_det)[None, None] / self.channels


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
        case "wide_resnet50":
            return Stages(torchvision.models.wide_resnet50_2(), 2)
        case "resnet34":
            return resnet34(channels, 4)
        case "encoder_decoder34":
            return EncoderDecoder(channels)
        case "flow_decoder":
            return FlowDecoder(channels)
        case kind:
            raise ValueError(f"no module `{kind}` here")
