"""Scales, skipped steps and weights of PyTorch's torch.amp.GradScaler on the CPU.

`CASE.gradients` are those of unscaled losses Σ g p, some of them not finite. With `accumulate`, each step
is made of so many. `half` computes Σ (p − g)² in f16: what overflows there depends on the scale.
"""

import numpy as np
import torch
from safetensors.numpy import save_file

torch.set_num_threads(1)
SIZE, RATE = 3, 0.05
START = np.array([0.5, -0.25, 1.0], np.float32)


def fill(shape, phase):
    v = np.sin(phase + 12.9898 * np.arange(np.prod(shape))) * 43758.5453
    return (2 * (v - np.floor(v)) - 1).reshape(shape).astype(np.float32)


def spoiled(steps, accumulate, phase, bad):
    """Gradients, of which those of some batches hold an infinity or a NaN."""
    gradients = fill((steps * accumulate, SIZE), phase)
    for n, batch in enumerate(bad):
        gradients[batch, n % SIZE] = [np.inf, np.nan, -np.inf][n % 3]
    return gradients


def run(gradients, loss_of, accumulate=1, **settings):
    p = torch.nn.Parameter(torch.tensor(START))
    optimizer = torch.optim.SGD([p], lr=RATE)
    scaler = torch.amp.GradScaler("cpu", **settings)
    scales, skipped, weights = [], [], []
    for step in range(0, len(gradients), accumulate):
        optimizer.zero_grad()
        for g in gradients[step : step + accumulate]:
            scaler.scale(loss_of(p, torch.tensor(g)) / accumulate).backward()
        before = p.detach().clone()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_([p], 1.0)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
        skipped.append(bool(torch.equal(before, p.detach())))
        weights.append(p.detach().numpy().copy())
    return {
        "gradients": gradients,
        "scales": np.array(scales, np.float64),
        "skipped": np.array(skipped, np.uint8),
        "weights": np.stack(weights),
    }


def linear(p, g):
    return (p * g).sum()


def half(p, g):
    return (p.half() - g.half()).square().sum().float()


odd = dict(init_scale=1000.0, growth_factor=1.7, backoff_factor=0.3, growth_interval=3)
short = dict(growth_interval=4)
bad = [0, 1, 5, 13, 14, 15, 30]
data = {
    "defaults": run(spoiled(40, 1, 0.1, bad), linear),
    "short": run(spoiled(40, 1, 0.2, bad), linear, **short),
    "odd": run(spoiled(60, 1, 0.3, bad), linear, **odd),
    "accumulate": run(spoiled(20, 3, 0.4, bad), linear, accumulate=3, **short),
    "half": run(fill((60, SIZE), 0.5) * 4, half, growth_interval=5),
}
save_file({f"{case}.{k}": v for case, d in data.items() for k, v in d.items()}, __file__.replace(".py", ".safetensors"))
print(torch.__version__, {case: (int(d["skipped"].sum()), d["scales"][-1]) for case, d in data.items()})
