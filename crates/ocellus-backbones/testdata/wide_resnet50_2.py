"""Reference of Wide-ResNet-50-2: torchvision's outputs; see `resnet_passes.py`."""

import torch
import torchvision
from formula import set_weights
from resnet_passes import evaluated, named
from safetensors.torch import save_file

torch.set_num_threads(2)
network = set_weights(torchvision.models.wide_resnet50_2(weights=None))
save_file(named(network) | evaluated(network), __file__.removesuffix(".py") + ".safetensors")
