"""The weights of the golden flows, by a formula that `tests/flows/formula.rs` repeats.

`fill(shape, phase)[i] = 2 * frac(sin(phase + 12.9898 * i) * 43758.5453) - 1`, in double precision. The
k-th weight, sorted by the names of `ocellus-flows`, is with phase k:

- weights of layers: sqrt(3 / fan_in) * fill
- biases and global offsets: 0.1 * fill
- global scales: 9.98652 + fill;  norms' weights: 1 + 0.5 * fill
- sort keys of a permutation: fill
- rotations: that of the matrix fill, by a QR decomposition

Then rounded to single precision, as a file of weights is.
"""

import numpy as np
import torch


def fill(shape, phase):
    i = np.arange(int(np.prod(shape)), dtype=np.float64)
    v = np.sin(phase + 12.9898 * i) * 43758.5453
    return torch.from_numpy((2 * (v - np.floor(v)) - 1).reshape(shape))


def summary(x, size=64):
    """Sum, sum of squares, and `size` entries spread evenly over the flattened tensor."""
    flat = x.detach().double().flatten()
    places = torch.arange(size) * flat.numel() // size
    return torch.cat([flat.sum()[None], flat.square().sum()[None], flat[places]])


def rotation(matrix):
    q, r = np.linalg.qr(matrix.numpy())
    q = q * np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[-1] *= -1
    return torch.from_numpy(q)


def permutation(keys):
    order = torch.argsort(keys.float(), stable=True)
    return torch.eye(len(keys), dtype=torch.float64)[order]


def set_weights(network, soft=False):
    """Of a module with FrEIA's names. Leaves it in double precision."""
    network.double()
    state = {n: w for n, w in network.state_dict().items() if not n.endswith("w_perm_inv")}
    ours = {n.replace("w_perm", "rotation" if soft else "permutation"): n for n in state}
    for phase, name in enumerate(sorted(ours)):
        target = state[ours[name]]
        shape = tuple(d for d in target.shape)
        last = name.rsplit(".", 1)[-1]
        if last in ("permutation", "rotation"):
            n = shape[0]
            dense = permutation(fill((n,), phase)) if last == "permutation" else rotation(fill((n, n), phase))
            dense = dense.float().double()
            target.copy_(dense.reshape(shape))
            inverse = network.state_dict()[ours[name] + "_inv"]
            inverse.copy_(dense.T.reshape(shape))
            continue
        values = fill(shape, phase)
        if last == "global_scale":
            values = 9.98652 + values
        elif "norms." in name and last == "weight":
            values = 1 + 0.5 * values
        elif last == "weight":
            values = values * (3 / target[0].numel()) ** 0.5
        else:
            values = 0.1 * values
        target.copy_(values.float().double())
    return network
