"""Reference of ResidualUnit: torchvision's blocks in a training step, then in evaluation."""

import numpy as np
import torch
from safetensors.torch import save_file
from torchvision.models.resnet import BasicBlock, Bottleneck


def fill(shape, phase):
    """As `ocellus_testing::fill`."""
    v = np.sin(phase + 12.9898 * np.arange(np.prod(shape))) * 43758.5453
    return torch.from_numpy((2 * (v - np.floor(v)) - 1).reshape(shape))


torch.manual_seed(0)
tensors = {}
# Name, block, input channels, planes (of a bottleneck a quarter of its outputs), stride.
for case, block, inputs, planes, stride in [
    ("basic", BasicBlock, 3, 3, 1),
    ("basic_projected", BasicBlock, 3, 4, 2),
    ("bottleneck", Bottleneck, 8, 2, 1),
    ("bottleneck_projected", Bottleneck, 3, 2, 2),
]:
    outputs = planes * block.expansion
    projection = None
    if stride > 1 or inputs != outputs:
        projection = torch.nn.Sequential(
            torch.nn.Conv2d(inputs, outputs, 1, stride, bias=False), torch.nn.BatchNorm2d(outputs)
        )
    unit = block(inputs, planes, stride, projection).double()
    with torch.no_grad():
        for name, parameter in unit.named_parameters():
            if parameter.ndim == 1:
                parameter.uniform_(0.5, 1.5).sub_(float(name.endswith("bias")))
    for name, value in unit.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensors[f"param.{case}.{name}"] = value.clone()
    x = torch.randn(2, inputs, 7, 6, dtype=torch.float64, requires_grad=True)
    y = unit(x)
    (y * fill(tuple(y.shape), 0.5)).sum().backward()
    tensors[f"input.{case}"] = x.detach()
    tensors[f"output.{case}.train"] = y.detach()
    tensors[f"output.{case}.gradient.x"] = x.grad
    for name, parameter in unit.named_parameters():
        tensors[f"output.{case}.gradient.{name}"] = parameter.grad
    for name, buffer in unit.named_buffers():
        if "running_" in name:
            tensors[f"output.{case}.{name}"] = buffer.clone()
    with torch.no_grad():
        tensors[f"output.{case}.eval"] = unit.eval()(x)
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
