"""What the golden ResNets store: names, an evaluation, a training step.

Weights by `formula.py`; the images are `fill` with phase 0.25.
"""

import torch
from formula import fill, summary


def stages(network, x):
    y = network.relu(network.bn1(network.conv1(x)))
    outputs = [y]
    y = network.maxpool(y)
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        y = layer(y)
        outputs.append(y)
    return outputs


def named(network):
    """The names of all weights and statistics, sorted, as text in bytes."""
    names = sorted(n for n in network.state_dict() if not n.endswith("num_batches_tracked"))
    return {"output.names": torch.tensor(list("\n".join(names).encode()), dtype=torch.uint8)}


def evaluated(network, prefix="output.eval"):
    """Stages, as summaries, and logits of one image."""
    network.eval()
    x = fill((1, 3, 75, 64), 0.25).to(network.fc.weight.dtype)
    with torch.no_grad():
        tensors = {f"{prefix}.{i}": summary(y) for i, y in enumerate(stages(network, x))}
        tensors[f"{prefix}.logits"] = network(x)
    return tensors


def trained(network):
    """Stages in training, the gradients of their weighted sum, then an evaluation.

    In double precision: no ReLU is near enough to zero to depend on rounding.
    """
    network.double().train()
    outputs = stages(network, fill((2, 3, 75, 64), 0.25))
    sum((y * fill(tuple(y.shape), 0.5)).sum() for y in outputs).backward()
    tensors = {f"output.train.{i}": summary(y) for i, y in enumerate(outputs)}
    gradients = [(n, p.grad) for n, p in network.named_parameters() if not n.startswith("fc.")]
    for name, gradient in gradients:
        tensors[f"gradient.{name}"] = summary(gradient, 16)
    tensors["first.conv1.weight"] = network.conv1.weight.grad[:4].clone()
    for name, buffer in network.named_buffers():
        if "running_" in name:
            tensors[f"statistics.{name}"] = summary(buffer, 4)
    return tensors | evaluated(network, "output.after")
