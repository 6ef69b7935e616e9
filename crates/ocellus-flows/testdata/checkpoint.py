"""A checkpoint as Lightning writes it of anomalib 2.7.0's CFLOW and FastFlow, small, and what the models give.

Weights as anomalib draws them, changed a little so that none is at its initial value.
"""

import torch
from anomalib.models.image.cflow.utils import cflow_head, positional_encoding_2d
from anomalib.models.image.fastflow.torch_model import create_fast_flow_block
from formula import fill
from safetensors.torch import save_file

torch.manual_seed(3)
torch.set_num_threads(2)
here = __file__.rsplit("/", 1)[0]
model = torch.nn.Module()
model.encoder = torch.nn.Conv2d(1, 1, 1)
model.decoders = torch.nn.ModuleList([cflow_head(4, 2, 1.9, c) for c in (6, 5)])
model.soft = torch.nn.ModuleList([cflow_head(4, 2, 1.9, 6, permute_soft=True)])
model.fast_flow_blocks = torch.nn.ModuleList([create_fast_flow_block([6, 4, 5], False, 1.0, 2)])
model.norms = torch.nn.ModuleList([torch.nn.LayerNorm([6, 4, 5])])
with torch.no_grad():
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.add_(0.1 * torch.randn_like(parameter))
tensors = {}
places = positional_encoding_2d(4, 2, 3).flatten(1).T
with torch.no_grad():
    for kind, decoders in {"cflow": model.decoders, "soft": model.soft}.items():
        for k, decoder in enumerate(decoders):
            channels = decoder.shapes[0][0]
            fibers = fill((1, channels, 2, 3), 0.5).float().flatten(2)[0].T
            z, log_det = decoder(fibers, [places])
            tensors[f"{kind}.z.{k}"] = z.T.reshape(1, channels, 2, 3).contiguous()
            tensors[f"{kind}.log_det.{k}"] = log_det.reshape(1, 2, 3)
    x = fill((2, 6, 4, 5), 0.5).float()
    z, log_det = model.fast_flow_blocks[0](model.norms[0](x))
    tensors |= {"fastflow.z": z, "fastflow.log_det": log_det}
save_file(tensors, f"{here}/checkpoint.safetensors")


def write(name, *modules):
    state = {f"model.{n}": w for n, w in model.state_dict().items() if n.split(".")[0] in modules}
    torch.save({"epoch": 1, "state_dict": state}, f"{here}/{name}.ckpt")


write("cflow", "decoders", "encoder")
write("fastflow", "fast_flow_blocks", "norms", "encoder")
model.decoders = model.soft
write("cflow_soft", "decoders", "encoder")
