"""Files of torch.save in its formats, and what is in them.

kinds.pth, kinds_legacy.pth, kinds_protocol4.pth: every layout and type. kinds.safetensors: the same
values as 64-bit floats. nested.pth: a checkpoint as training scripts write it. model.pth: a whole
pickled module, which holds no state dict. script.pt, arrays.npz: other zip archives.
"""

import argparse
from collections import OrderedDict
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.manual_seed(0)
here = Path(__file__).parent

ramp = torch.arange(48, dtype=torch.float32) / 8 - 2
shared = ramp.clone()
kinds = OrderedDict(
    {
        "plain": ramp.clone().reshape(2, 3, 8),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 3),
        "transposed": ramp.clone().reshape(6, 8).t(),
        "permuted": ramp.clone().reshape(2, 4, 6).permute(2, 0, 1),
        "channels_last": ramp.clone().reshape(2, 2, 3, 4).contiguous(memory_format=torch.channels_last),
        "strided": ramp.clone()[3::5],
        "expanded": torch.tensor([1.0, 2.0]).expand(3, 2),
        "shared.first": shared[:20],
        "shared.last": shared[20:].reshape(4, 7),
        "parameter": torch.nn.Parameter(ramp.clone()[:6]),
        "f16": ramp.half(),
        "bf16": ramp.bfloat16(),
        "f64": ramp.double() / 3,
        "i64": torch.tensor([-(2**40), 7]),
        "i32": torch.tensor([-70000, 7], dtype=torch.int32),
        "i16": torch.tensor([-300, 7], dtype=torch.int16),
        "i8": torch.tensor([-100, 7], dtype=torch.int8),
        "u8": torch.tensor([200, 7], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
    }
)
save_file(
    {f"output.{k}": v.detach().double().contiguous().clone() for k, v in kinds.items()},
    here / "kinds.safetensors",
)
kinds["sparse"] = torch.eye(3).to_sparse()
kinds["complex"] = torch.tensor([1 + 2j])
kinds["note"] = "texts are passed over"
torch.save(kinds, here / "kinds_legacy.pth", _use_new_zipfile_serialization=False)
torch.save(kinds, here / "kinds_protocol4.pth", pickle_protocol=4)
# This type has no class of storages: only the zip format can hold it.
kinds["u16"] = torch.tensor([60000, 7], dtype=torch.uint16)
torch.save(kinds, here / "kinds.pth")

model = torch.nn.Sequential(
    OrderedDict(conv=torch.nn.Conv2d(3, 4, 3), norm=torch.nn.BatchNorm2d(4), head=torch.nn.Conv2d(4, 2, 1))
)
with torch.no_grad():
    for value in model.parameters():
        value.copy_(torch.arange(value.numel()).reshape(value.shape) / 64)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
model(torch.ones(1, 3, 5, 5)).sum().backward()
optimizer.step()
torch.save(
    {
        "epoch": 3,
        "arch": "small",
        "args": argparse.Namespace(lr=0.1),
        "state_dict": torch.nn.DataParallel(model).state_dict(),
        "optimizer": optimizer.state_dict(),
    },
    here / "nested.pth",
)
torch.save(torch.nn.Linear(2, 2), here / "model.pth")
torch.jit.script(torch.nn.Linear(2, 2)).save(here / "script.pt")
numpy.savez(here / "arrays.npz", a=numpy.zeros(2))
