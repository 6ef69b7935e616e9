"""Batch normalization as PyTorch does it, with gradients, for src/batch_norm/."""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)
tensors = {}

for name, shape in [("flat", (7, 3)), ("line", (4, 3, 5)), ("image", (3, 4, 5, 6))]:
    channels = shape[1]
    # Channels of different mean and spread.
    x = torch.randn(shape).transpose(1, -1) * torch.linspace(0.3, 4, channels)
    x = (x + torch.linspace(-5, 20, channels)).transpose(1, -1).contiguous()
    running_mean, running_var = torch.zeros(channels), torch.ones(channels)
    for mode in ["train", "infer"]:
        inputs = {"x": x, "w": torch.randn(channels), "b": torch.randn(channels)}
        inputs = {k: v.clone().requires_grad_() for k, v in inputs.items()}
        if mode == "infer":
            running_mean, running_var = torch.randn(channels), torch.rand(channels) + 0.5
            tensors[f"param.{name}.mean"], tensors[f"param.{name}.var"] = running_mean, running_var
        y = F.batch_norm(
            inputs["x"],
            running_mean,
            running_var,
            inputs["w"],
            inputs["b"],
            training=mode == "train",
            momentum=1.0,
            eps=1e-3,
        )
        weights = torch.randn_like(y)
        (y * weights).sum().backward()
        case = f"{mode}_{name}"
        for k, v in inputs.items():
            tensors[f"input.{case}.{k}"], tensors[f"output.{case}.grad_{k}"] = v.detach(), v.grad
        tensors[f"input.{case}.weights"], tensors[f"output.{case}.y"] = weights, y.detach()
        if mode == "train":
            # With momentum 1 these are the mean and the unbiased variance of the batch.
            tensors[f"output.{case}.mean"] = running_mean.clone()
            tensors[f"output.{case}.unbiased_var"] = running_var.clone()

tensors = {k: v.contiguous() for k, v in tensors.items()}
save_file(tensors, __file__.replace(".py", ".safetensors"))
