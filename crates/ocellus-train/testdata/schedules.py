"""Learning rates of 40 epochs at a base rate of 1, by PyTorch's schedulers.

The decay of Keras 2.2 is its documented formula.
"""

import warnings

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.optim import lr_scheduler as s

warnings.filterwarnings("ignore")
EPOCHS = 40


def metrics():
    """A loss that falls, rests, and falls again."""
    i = np.arange(EPOCHS)
    v = np.sin(0.7 + 12.9898 * i) * 43758.5453
    noise = v - np.floor(v)
    return np.where(i < 12, 2 - 0.1 * i, np.where(i < 30, 0.9, 0.7)) + 0.02 * noise


def rates(make, plateau=None):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    out = []
    for epoch in range(EPOCHS):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if plateau is None else schedule.step(float(plateau[epoch]))
    return np.array(out)


CASES = {
    "step": rates(lambda o: s.StepLR(o, 7, 0.3)),
    "exponential": rates(lambda o: s.ExponentialLR(o, 0.9)),
    "multi_step": rates(lambda o: s.MultiStepLR(o, [3, 20, 21], 0.5)),
    "linear": rates(lambda o: s.LinearLR(o, 0.2, 0.7, 25)),
    "cosine": rates(lambda o: s.CosineAnnealingLR(o, 39, 0.05)),
    "warm_up": rates(lambda o: s.ChainedScheduler(
        [s.LinearLR(o, 0.1, 1.0, 6), s.StepLR(o, 10, 0.5)])),
    "keras_decay": 1 / (1 + 0.05 * np.arange(EPOCHS)),
    "plateau": rates(lambda o: s.ReduceLROnPlateau(o, "min", 0.5, 3), metrics()),
    "plateau_cooldown": rates(
        lambda o: s.ReduceLROnPlateau(
            o, "min", 0.5, 1, threshold=0.05, threshold_mode="abs", cooldown=4, min_lr=0.1),
        metrics()),
    "plateau_max": rates(
        lambda o: s.ReduceLROnPlateau(o, "max", 0.2, 2, threshold=0.01, eps=1e-3), 3 - metrics()),
}
save_file(
    {f"output.{name}": rate for name, rate in CASES.items()} | {"input.metrics": metrics()},
    __file__.replace(".py", ".safetensors"),
)
