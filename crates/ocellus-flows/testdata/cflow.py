"""Reference of CFLOW decoders: anomalib 2.7.0 on FrEIA 0.2, weights by `formula.py`, in double precision."""

import torch
from anomalib.models.image.cflow.utils import cflow_head, get_logp, positional_encoding_2d
from formula import fill, set_weights, summary
from safetensors.torch import save_file
from torch.nn import functional as F

torch.set_num_threads(2)


def case(channels, condition, blocks, soft, shape=(2, 5, 6)):
    decoder = cflow_head(condition, blocks, 1.9, channels, permute_soft=soft)
    decoders = torch.nn.ModuleDict({"decoders": torch.nn.ModuleList([decoder])})
    set_weights(decoders, soft)
    images, height, width = shape
    features = fill((images, channels, height, width), 0.25).requires_grad_()
    places = positional_encoding_2d(condition, height, width).double()
    fibers = features.permute(0, 2, 3, 1).reshape(-1, channels)
    places = places.permute(1, 2, 0).reshape(1, -1, condition).expand(images, -1, -1).reshape(-1, condition)
    z, log_det = decoder(fibers, [places])
    likelihood = get_logp(channels, z, log_det) / channels
    loss = -F.logsigmoid(likelihood).mean()
    loss.backward()
    maps = lambda x: x.reshape(images, height, width, *x.shape[1:])
    tensors = {
        "likelihood": maps(likelihood),
        "log_det": maps(log_det),
        "z": summary(maps(z).permute(0, 3, 1, 2)),
        "loss": loss,
        "gradient.features": summary(features.grad),
    }
    for name, parameter in decoders.named_parameters():
        if parameter.grad is not None:
            tensors[f"gradient.{name}"] = summary(parameter.grad, 16)
    return {name: x.detach().contiguous() for name, x in tensors.items()}


tensors = {}
for name, settings in {
    "hard": (128, 128, 8, False),
    "odd": (7, 4, 3, False),
    "soft": (16, 8, 3, True),
}.items():
    tensors |= {f"{name}.{key}": x for key, x in case(*settings).items()}
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
