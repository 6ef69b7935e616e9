"""Trajectories of 100 steps of every optimizer, in double precision.

Written by PyTorch for its own forms. RMSprop of Keras 2.2 and Keras 3 follow their documented
formulas in NumPy; the latter agrees with keras 3's own optimizer on its torch backend to 3e-7
(`--keras` compares them; Keras holds its constants in single precision).

The objective is Σ ½ c p² + s_t p over 6 entries, so that gradients depend on the weights and on
the step. The second parameter has a gradient only in every third step.
"""

import sys

import numpy as np
import torch
from safetensors.numpy import save_file

torch.set_num_threads(1)
STEPS, SIZE = 100, 6


def fill(size, phase):
    v = np.sin(phase + 12.9898 * np.arange(size)) * 43758.5453
    return 2 * (v - np.floor(v)) - 1


START = [fill(SIZE, 0.1), fill(SIZE, 0.2)]
CURVE = 1 + fill(SIZE, 0.3) / 2


def gradient(p, step, which):
    """None where the parameter takes no part in that step."""
    if which == 1 and step % 3 != 0:
        return None
    return CURVE * p + fill(SIZE, 1.0 + step + 0.5 * which)


def with_torch(make):
    params = [torch.nn.Parameter(torch.tensor(p)) for p in START]
    optimizer = make([
        {"params": [params[0]]},
        {"params": [params[1]], "lr": None, "weight_decay": 0.05},
    ])
    for step in range(STEPS):
        for which, p in enumerate(params):
            g = gradient(p.detach().numpy(), step, which)
            p.grad = None if g is None else torch.tensor(g)
        optimizer.step()
    return [p.detach().numpy() for p in params]


def torch_case(kind, lr, **settings):
    def make(groups):
        groups[1]["lr"] = lr * 0.5
        return kind(groups, lr=lr, **settings)

    return with_torch(make)


def keras2(lr, rho=0.9, eps=1e-7, decay=0.0):
    params, square = [p.copy() for p in START], [np.zeros(SIZE)] * 2
    for iterations in range(STEPS):
        rate = lr * (1 / (1 + decay * iterations))
        for which in range(2):
            g = gradient(params[which], iterations, which)
            if g is None:
                continue
            square[which] = rho * square[which] + (1 - rho) * g**2
            params[which] = params[which] - rate * g / (np.sqrt(square[which]) + eps)
    return params


def keras3(lr, rho=0.9, momentum=0.0, eps=1e-7, centered=False, weight_decay=0.0):
    params = [p.copy() for p in START]
    square, mean, buffer = ([np.zeros(SIZE)] * 2 for _ in range(3))
    for step in range(STEPS):
        for w in range(2):
            g = gradient(params[w], step, w)
            if g is None:
                continue
            params[w] = params[w] - params[w] * weight_decay * lr
            square[w] = rho * square[w] + (1 - rho) * g**2
            divisor = square[w] + eps
            if centered:
                mean[w] = rho * mean[w] + (1 - rho) * g
                divisor = square[w] - mean[w] ** 2 + eps
            increment = lr * g / np.sqrt(divisor)
            if momentum > 0:
                buffer[w] = momentum * buffer[w] + increment
                increment = buffer[w]
            params[w] = params[w] - increment
    return params


def compare_with_keras():
    import os

    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    for settings in ({}, {"momentum": 0.9}, {"centered": True, "momentum": 0.5},
                     {"weight_decay": 0.1}):
        variable = keras.Variable(START[0], dtype="float64")
        optimizer = keras.optimizers.RMSprop(learning_rate=0.01, epsilon=1e-7, **settings)
        for step in range(STEPS):
            g = gradient(variable.numpy(), step, 0)
            optimizer.apply([torch.tensor(g)], [variable])
        print(settings, np.abs(variable.numpy() - keras3(0.01, **settings)[0]).max())


if "--keras" in sys.argv:
    compare_with_keras()
    sys.exit()

o = torch.optim
CASES = {
    "sgd": torch_case(o.SGD, 0.05, weight_decay=0.01),
    "sgd_momentum": torch_case(o.SGD, 0.05, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "sgd_nesterov": torch_case(o.SGD, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": torch_case(o.Adam, 0.01, weight_decay=0.01),
    "adam_amsgrad": torch_case(o.Adam, 0.01, betas=(0.8, 0.95), amsgrad=True),
    "adamw": torch_case(o.AdamW, 0.01, weight_decay=0.1),
    "adamw_amsgrad": torch_case(o.AdamW, 0.01, eps=1e-6, amsgrad=True),
    "adagrad": torch_case(o.Adagrad, 0.1, weight_decay=0.01),
    "adagrad_decay": torch_case(o.Adagrad, 0.1, lr_decay=0.1, initial_accumulator_value=0.2),
    "rmsprop_pytorch": torch_case(o.RMSprop, 0.01, weight_decay=0.01),
    "rmsprop_pytorch_centered": torch_case(
        o.RMSprop, 0.01, alpha=0.9, eps=1e-6, momentum=0.5, centered=True),
    "rmsprop_keras2": keras2(0.01),
    "rmsprop_keras2_decay": keras2(0.01, decay=0.05),
    "rmsprop_keras3": keras3(0.01),
    "rmsprop_keras3_momentum": keras3(0.01, momentum=0.9, weight_decay=0.1),
    "rmsprop_keras3_centered": keras3(0.01, momentum=0.5, centered=True),
}
save_file(
    {f"output.{name}.{which}": p for name, pair in CASES.items() for which, p in enumerate(pair)},
    __file__.replace(".py", ".safetensors"),
)
