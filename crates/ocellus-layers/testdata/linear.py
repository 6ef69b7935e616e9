"""Reference of Linear: PyTorch's."""

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
layer = torch.nn.Linear(4, 3)
x = torch.randn(2, 5, 4)
tensors = {f"param.{name}": value.detach() for name, value in layer.named_parameters()}
tensors |= {"input.x": x, "output.y": layer(x).detach()}
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
