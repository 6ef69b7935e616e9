"""Reference of BatchNorm2d: three batches in training, with momentum and cumulative, then evaluation."""

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
f64 = torch.float64
weight, bias = torch.randn(3, dtype=f64), torch.randn(3, dtype=f64)
upstream = torch.randn(2, 3, 4, 3, dtype=f64)
tensors = {"param.weight": weight, "param.bias": bias, "input.upstream": upstream}
inputs = [2 + 3 * torch.randn(2, 3, 4, 3, dtype=f64) for _ in range(3)]
for case, momentum in [("momentum", 0.1), ("cumulative", None)]:
    layer = torch.nn.BatchNorm2d(3, momentum=momentum, dtype=f64)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    for step, values in enumerate(inputs):
        tensors[f"input.{step}"] = values
        x = values.clone().requires_grad_()
        layer.zero_grad()
        y = layer(x)
        (y * upstream).sum().backward()
        tensors[f"output.{case}.{step}.y"] = y.detach()
        tensors[f"output.{case}.{step}.dx"] = x.grad
        tensors[f"output.{case}.{step}.dw"] = layer.weight.grad.clone()
        tensors[f"output.{case}.{step}.db"] = layer.bias.grad.clone()
    tensors[f"output.{case}.running_mean"] = layer.running_mean.clone()
    tensors[f"output.{case}.running_var"] = layer.running_var.clone()
    layer.eval()
    tensors[f"output.{case}.evaluated"] = layer(inputs[0]).detach()
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
