"""Reference of VGG16 with torchvision's own network: outputs and gradients, as summaries.

Weights by `formula.py`; the image is `fill` with phase 0.25.
"""

import torch
import torchvision
from safetensors.torch import save_file
from formula import fill, set_weights, summary

torch.set_num_threads(2)
network = set_weights(torchvision.models.vgg16(weights=None)).eval()
tensors = {}
with torch.no_grad():
    x = fill((1, 3, 64, 96), 0.25).float()
    y = x
    for index, layer in enumerate(network.features):
        # A copy: torchvision's ReLU works in place.
        y = layer(y).clone()
        if index in (3, 8, 15, 22, 29, 30):
            tensors[f"output.features.{index}"] = summary(y)
    tensors["output.logits"] = network(x)

# Gradients in double precision: no ReLU is near enough to zero to depend on rounding.
features = network.features.double()
x = fill((2, 3, 64, 64), 0.25)
y = features(x)
(y * fill(tuple(y.shape), 0.5)).sum().backward()
tensors["output.train"] = summary(y)
tensors["gradient.features.0.weight"] = features[0].weight.grad
for index in (0, 2, 12, 28):
    tensors[f"gradient.summary.{index}"] = summary(features[index].weight.grad)
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")

# How far single precision is from that.
single = set_weights(torchvision.models.vgg16(weights=None)).features
y = single(x.float())
(y * fill(tuple(y.shape), 0.5).float()).sum().backward()
exact = features[0].weight.grad
print("f32 against f64:", ((single[0].weight.grad - exact).norm() / exact.norm()).item())
