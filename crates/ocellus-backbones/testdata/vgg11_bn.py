"""Reference of VGG11 with batch norm: torchvision's convolutions in training and evaluation.

Weights by `formula.py`; the images are `fill` with phase 0.25.
"""

import torch
import torchvision
from safetensors.torch import save_file
from formula import fill, set_weights, summary

torch.set_num_threads(2)
features = torchvision.models.vgg11_bn(weights=None).features.double()
set_weights(torch.nn.ModuleDict({"features": features}))
x = fill((2, 3, 64, 64), 0.25)
tensors = {}
with torch.no_grad():
    tensors["output.eval"] = features.eval()(x).flatten(2)
y = features.train()(x)
(y * fill(tuple(y.shape), 0.5)).sum().backward()
tensors["output.train"] = summary(y)
tensors["output.running_mean"] = summary(features[26].running_mean)
tensors["output.running_var"] = summary(features[26].running_var)
tensors["gradient.features.0.weight"] = features[0].weight.grad
tensors["gradient.features.1.weight"] = features[1].weight.grad
with torch.no_grad():
    tensors["output.after"] = summary(features.eval()(x))
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
