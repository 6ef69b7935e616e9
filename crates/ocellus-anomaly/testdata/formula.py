"""Values by the formula of `fill` in `ocellus-testing`: 2 frac(sin(phase + 12.9898 i) 43758.5453) - 1."""

import numpy as np
import torch


def fill(shape, phase):
    v = np.sin(phase + 12.9898 * np.arange(int(np.prod(shape)), dtype=np.float64)) * 43758.5453
    return torch.from_numpy((2 * (v - np.floor(v)) - 1).reshape(shape))


def set_weights(network):
    """As `Filled` of `ocellus-testing` fills a network, by the names of its weights in order."""
    state = network.state_dict()
    names = sorted(name for name in state if not name.endswith("num_batches_tracked"))
    for phase, name in enumerate(names):
        target = state[name]
        values = fill(tuple(target.shape), float(phase))
        if target.ndim > 1:
            values *= (6 / target[0].numel()) ** 0.5
        elif name.endswith(("bias", "running_mean")):
            values *= 0.1
        else:
            values = 1 + 0.5 * values
        target.copy_(values.float())
    return network
