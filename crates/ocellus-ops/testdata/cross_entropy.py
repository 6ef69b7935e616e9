"""Softmax, cross-entropy and binary cross-entropy as PyTorch computes them, with gradients, for
src/softmax.rs, src/cross_entropy/ and src/binary_cross_entropy.rs."""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)
tensors = {}


def case(name, f, **inputs):
    inputs = {k: v.clone().requires_grad_() for k, v in inputs.items()}
    y = f(*inputs.values())
    weights = torch.randn_like(y)
    (y * weights).sum().backward()
    for k, v in inputs.items():
        tensors[f"input.{name}.{k}"] = v.detach().contiguous()
        tensors[f"output.{name}.grad_{k}"] = v.grad.contiguous()
    tensors[f"input.{name}.weights"] = weights
    tensors[f"output.{name}.y"] = y.detach()


for dim in range(3):
    x = 3 * torch.randn(3, 4, 5)
    case(f"softmax_{dim}", lambda x: F.softmax(x, dim), x=x)
    case(f"log_softmax_{dim}", lambda x: F.log_softmax(x, dim), x=x)

weight = torch.tensor([0.5, 2.0, 1.0, 0.25, 3.0])
tensors["param.class_weights"] = weight
index = {"flat": torch.randint(0, 5, (7,)), "image": torch.randint(0, 5, (2, 3, 4))}
index["flat"][2] = index["image"][1, 2, 1] = index["image"][0, 0, 3] = 3
shape = {"flat": (7, 5), "image": (2, 5, 3, 4)}
for at in ["flat", "image"]:
    tensors[f"param.index_{at}"] = index[at]
    x = 4 * torch.randn(shape[at])
    p = torch.softmax(torch.randn(shape[at]), 1)
    for reduction in ["mean", "sum", "none"]:
        for weighted in [False, True]:
            for smoothing in [0.0, 0.2]:
                settings = dict(
                    reduction=reduction,
                    weight=weight if weighted else None,
                    label_smoothing=smoothing,
                )
                if at == "image" and reduction == "sum":
                    continue
                name = f"{at}_{reduction}_{int(weighted)}_{int(smoothing > 0)}"
                case(
                    f"index_{name}",
                    lambda x: F.cross_entropy(x, index[at], ignore_index=3, **settings),
                    x=x,
                )
                case(f"soft_{name}", lambda x, p: F.cross_entropy(x, p, **settings), x=x, p=p)

x, y = 5 * torch.randn(3, 4), torch.rand(3, 4)
pos_weight = torch.tensor([0.5, 1.0, 2.0, 4.0])
tensors["param.pos_weight"] = pos_weight
for reduction in ["mean", "sum", "none"]:
    bce = F.binary_cross_entropy_with_logits
    case(f"bce_{reduction}", lambda x, y: bce(x, y, reduction=reduction), x=x, y=y)
    case(
        f"bce_weighted_{reduction}",
        lambda x, y: bce(x, y, pos_weight=pos_weight, reduction=reduction),
        x=x,
        y=y,
    )

save_file(tensors, __file__.replace(".py", ".safetensors"))
