"""Reference of ResNet-50, whose units are bottlenecks: torchvision's outputs and gradients; see `resnet_passes.py`."""

import torch
import torchvision
from formula import set_weights
from resnet_passes import evaluated, named, trained
from safetensors.torch import save_file

torch.set_num_threads(2)
network = set_weights(torchvision.models.resnet50(weights=None))
tensors = named(network) | evaluated(network) | trained(network)
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
