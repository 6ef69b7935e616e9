"""Pooling as PyTorch does it: outputs and gradients for src/pool/*.rs."""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)
tensors = {}


def case(name, f, x):
    x = x.clone().requires_grad_()
    y = f(x)
    weights = torch.randn_like(y)
    (y * weights).sum().backward()
    tensors[f"input.{name}.x"] = x.detach()
    tensors[f"input.{name}.weights"] = weights
    tensors[f"output.{name}.y"] = y.detach()
    tensors[f"output.{name}.grad_x"] = x.grad


def x(*shape):
    return torch.randn(shape)


case("max_2", lambda x: F.max_pool2d(x, 2), x(2, 3, 5, 6))
case("max_2_ceil", lambda x: F.max_pool2d(x, 2, ceil_mode=True), x(2, 3, 5, 7))
case("max_resnet", lambda x: F.max_pool2d(x, 3, 2, 1), x(2, 3, 9, 8))
case("max_ceil_pad", lambda x: F.max_pool2d(x, 2, (3, 2), 1, ceil_mode=True), x(2, 2, 9, 7))
case("max_dilated", lambda x: F.max_pool2d(x, 3, (2, 1), 1, (2, 3)), x(1, 2, 9, 11))
# Many ties: small integers.
case("max_ties", lambda x: F.max_pool2d(x, 3, 1, 1), torch.randint(0, 3, (2, 2, 8, 9)).float())
case("avg_2", lambda x: F.avg_pool2d(x, 2), x(2, 3, 5, 6))
case("avg_pad", lambda x: F.avg_pool2d(x, 3, 1, 1), x(2, 2, 6, 5))
case("avg_ceil_pad", lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), x(2, 2, 6, 8))
case(
    "avg_no_count",
    lambda x: F.avg_pool2d(x, 3, (2, 3), 1, ceil_mode=True, count_include_pad=False),
    x(2, 2, 6, 9),
)
for h, w in [(3, 2), (7, 7), (5, 9)]:
    case(f"adaptive_avg_{h}x{w}", lambda x: F.adaptive_avg_pool2d(x, (h, w)), x(1, 2, 8, 6))
    case(f"adaptive_max_{h}x{w}", lambda x: F.adaptive_max_pool2d(x, (h, w)), x(1, 2, 8, 6))

save_file(tensors, __file__.replace(".py", ".safetensors"))
