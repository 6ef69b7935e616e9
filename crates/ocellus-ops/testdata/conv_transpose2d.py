"""Reference of conv_transpose2d: outputs and gradients of PyTorch in double precision."""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)

# name: input, weight, arguments of F.conv_transpose2d
CASES = {
    "double": ((2, 3, 4, 3), (3, 2, 4, 4), {"stride": 2, "padding": 1}),
    "odd": ((1, 2, 3, 4), (2, 3, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "plain": ((2, 2, 4, 5), (2, 3, 3, 2), {}),
    "oblong": (
        (1, 2, 3, 3),
        (2, 2, 2, 3),
        {"stride": (3, 2), "padding": (0, 1), "output_padding": (2, 0)},
    ),
    "dilated": (
        (1, 4, 3, 4),
        (4, 3, 3, 3),
        {"dilation": 2, "groups": 2, "padding": (1, 2), "output_padding": (1, 0)},
    ),
}

tensors = {}
for name, (x_shape, w_shape, arguments) in CASES.items():
    x = torch.randn(x_shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(w_shape, dtype=torch.float64, requires_grad=True)
    channels = w_shape[1] * arguments.get("groups", 1)
    bias = torch.randn(channels, dtype=torch.float64, requires_grad=True)
    y = F.conv_transpose2d(x, weight, bias, **arguments)
    grad = torch.randn_like(y)
    y.backward(grad)
    case = {
        "input": {"x": x, "weight": weight, "bias": bias, "grad": grad},
        "output": {"y": y, "x": x.grad, "weight": weight.grad, "bias": bias.grad},
    }
    for kind, values in case.items():
        for key, value in values.items():
            tensors[f"{kind}.{name}.{key}"] = value.detach().contiguous()
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
