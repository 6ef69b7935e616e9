"""Reference of FastFlow: anomalib 2.7.0 on FrEIA 0.2, weights by `formula.py`, in double precision."""

import torch
from anomalib.models.image.fastflow.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.fastflow.loss import FastflowLoss
from anomalib.models.image.fastflow.torch_model import create_fast_flow_block
from formula import fill, set_weights, summary
from safetensors.torch import save_file

torch.set_num_threads(2)


def case(sizes, blocks, only_3x3, ratio, norm):
    model = torch.nn.Module()
    model.fast_flow_blocks = torch.nn.ModuleList(
        create_fast_flow_block(list(size), only_3x3, ratio, blocks) for size in sizes
    )
    if norm:
        model.norms = torch.nn.ModuleList(torch.nn.LayerNorm(list(size)) for size in sizes)
    set_weights(model)
    hidden, determinants = [], []
    for k, size in enumerate(sizes):
        features = 2 * fill((2, *size), 0.25 + k)
        features = model.norms[k](features) if norm else features
        z, log_det = model.fast_flow_blocks[k](features)
        hidden.append(z)
        determinants.append(log_det)
    loss = FastflowLoss.forward(hidden, determinants)
    loss.backward()
    tensors = {"loss": loss, "map": AnomalyMapGenerator((19, 14))(hidden)}
    for k, (z, log_det) in enumerate(zip(hidden, determinants)):
        tensors |= {f"z.{k}": summary(z), f"log_det.{k}": log_det}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            tensors[f"gradient.{name}"] = summary(parameter.grad, 16)
    return {name: x.detach().contiguous() for name, x in tensors.items()}


tensors = {}
for name, settings in {
    "alternating": ([(8, 9, 7), (5, 4, 3)], 4, False, 1.0, True),
    "only_3x3": ([(6, 5, 6)], 3, True, 1.0, True),
    "narrow": ([(12, 4, 4)], 4, False, 0.5, False),
}.items():
    tensors |= {f"{name}.{key}": x for key, x in case(*settings).items()}
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
