"""Reference of inflate_stem: timm's adapt_input_conv."""

import torch
from safetensors.torch import save_file
from timm.models._manipulate import adapt_input_conv

torch.set_num_threads(1)
torch.manual_seed(0)
weight = torch.randn(4, 3, 3, 2)
outputs = {f"output.{n}": adapt_input_conv(n, weight.clone()) for n in [1, 2, 3, 4, 5, 9]}
save_file(
    {"input.weight": weight, **{k: v.contiguous() for k, v in outputs.items()}},
    __file__.removesuffix(".py") + ".safetensors",
)
