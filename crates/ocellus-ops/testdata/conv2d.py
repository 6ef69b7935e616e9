"""Reference of conv2d: outputs and gradients of PyTorch in double precision."""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)

# name: input, weight, padding (left, right, top, bottom), further arguments of F.conv2d
CASES = {
    "same": ((2, 3, 6, 5), (4, 3, 3, 3), (1, 1, 1, 1), {}),
    "strided": ((2, 2, 7, 8), (3, 2, 3, 3), (1, 1, 1, 1), {"stride": (2, 3)}),
    "stem": ((1, 3, 15, 14), (2, 3, 7, 7), (3, 3, 3, 3), {"stride": 2}),
    "dilated": ((1, 4, 9, 8), (6, 2, 3, 2), (2, 2, 2, 2), {"dilation": (2, 3), "groups": 2}),
    "depthwise": ((2, 3, 5, 6), (3, 1, 3, 3), (1, 1, 1, 1), {"groups": 3}),
    "pointwise": ((2, 5, 4, 3), (3, 5, 1, 1), (0, 0, 0, 0), {}),
    "asymmetric": ((1, 2, 5, 4), (2, 2, 3, 4), (2, 1, 0, 3), {}),
}

tensors = {}
for name, (x_shape, w_shape, padding, arguments) in CASES.items():
    x = torch.randn(x_shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(w_shape, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(w_shape[0], dtype=torch.float64, requires_grad=True)
    y = F.conv2d(F.pad(x, padding), weight, bias, **arguments)
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
