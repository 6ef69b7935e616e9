"""Bounds and deviations of PyTorch's initializers, from torch.nn's own layers and torch.nn.init."""

import math

import torch
from safetensors.torch import save_file
from torch.nn import init

torch.set_num_threads(1)
torch.manual_seed(0)


def bound_of(rule):
    """The bound that a uniform rule asks for."""
    seen = {}
    original = torch.Tensor.uniform_
    torch.Tensor.uniform_ = lambda self, low=0, high=1, **_: seen.update(high=high) or self
    try:
        rule()
    finally:
        torch.Tensor.uniform_ = original
    return seen["high"]


def std_of(rule):
    """The deviation that a normal rule asks for."""
    seen = {}
    original = torch.Tensor.normal_
    torch.Tensor.normal_ = lambda self, mean=0, std=1, **_: seen.update(std=std) or self
    try:
        rule()
    finally:
        torch.Tensor.normal_ = original
    return seen["std"]


weight = torch.empty(40, 20, 3, 5)
values = {
    "conv2d.bound": bound_of(lambda: init.kaiming_uniform_(weight, a=math.sqrt(5))),
    "deconv.bound": bound_of(lambda: torch.nn.ConvTranspose2d(12, 7, 4, bias=False)),
    "xavier_uniform.bound": bound_of(lambda: init.xavier_uniform_(weight, gain=1.5)),
    "xavier_normal.std": std_of(lambda: init.xavier_normal_(weight, gain=1.5)),
    "kaiming_uniform.bound": bound_of(lambda: init.kaiming_uniform_(weight, a=0.2, mode="fan_out")),
    "kaiming_normal.std": std_of(lambda: init.kaiming_normal_(weight, nonlinearity="relu")),
    "gain.relu": init.calculate_gain("relu"),
    "gain.tanh": init.calculate_gain("tanh"),
    "gain.selu": init.calculate_gain("selu"),
}
save_file(
    {f"output.{k}": torch.tensor(v, dtype=torch.float64) for k, v in values.items()},
    __file__.removesuffix(".py") + ".safetensors",
)
