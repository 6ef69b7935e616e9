"""Reference of Conv2d: PyTorch's, with every setting off its default."""

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
layer = torch.nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)
x = torch.randn(2, 4, 7, 6)
tensors = {f"param.{name}": value.detach() for name, value in layer.named_parameters()}
tensors |= {"input.x": x, "output.y": layer(x).detach()}
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
