"""The weights of the golden networks, by a formula that Rust repeats (`Filled` of `ocellus-testing`).

Entry i of the k-th tensor of the state dict, sorted by name, is scale times
`fill(phase = k)[i] = 2 * frac(sin(k + 12.9898 * i) * 43758.5453) - 1`, all in double precision:

- convolution and linear weights: scale = sqrt(6 / fan_in), which keeps activations tame
- biases and running means: scale = 0.1
- batch norm's weights and running variances: 1 + 0.5 * fill

Then rounded to single precision, as a file of weights is.
"""

import numpy as np
import torch


def fill(shape, phase, chunk=1 << 22):
    count = int(np.prod(shape))
    out = np.empty(count, np.float64)
    for start in range(0, count, chunk):
        i = np.arange(start, min(start + chunk, count), dtype=np.float64)
        v = np.sin(phase + 12.9898 * i) * 43758.5453
        out[start : start + len(i)] = 2 * (v - np.floor(v)) - 1
    return torch.from_numpy(out.reshape(shape))


def set_weights(network):
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


def summary(x, size=64):
    """Sum, sum of squares, and `size` entries spread evenly over the flattened tensor."""
    flat = x.detach().double().flatten()
    places = torch.arange(size) * flat.numel() // size
    return torch.cat([flat.sum()[None], flat.square().sum()[None], flat[places]])
