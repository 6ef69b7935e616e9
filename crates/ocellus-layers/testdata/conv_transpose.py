"""Reference of ConvTranspose2d: PyTorch's."""

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
layer = torch.nn.ConvTranspose2d(
    4, 6, (4, 3), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2
)
x = torch.randn(2, 4, 3, 5)
tensors = {f"param.{name}": value.detach() for name, value in layer.named_parameters()}
tensors |= {"input.x": x, "output.y": layer(x).detach()}
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
