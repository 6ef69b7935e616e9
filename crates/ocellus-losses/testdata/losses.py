"""Reference of the losses: PyTorch's own where it has one, else the formula; values and gradients."""

import math

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)
f64 = torch.float64

logits = (3 * torch.randn(5, 4, dtype=f64)).requires_grad_()
single = (3 * torch.randn(5, 1, dtype=f64)).requires_grad_()
image = torch.randn(2, 3, 4, 5, dtype=f64).requires_grad_()
indices = torch.tensor([0, 3, 1, 2, 3])
yes = torch.tensor([1, 0, 1, 1, 0])
pixels = torch.randint(0, 3, (2, 4, 5))
probabilities = torch.softmax(torch.randn(5, 4, dtype=f64), 1)
weights = torch.tensor([0.5, 2.0, 1.0, 0.25], dtype=f64)


def log_cosh(error):
    return error.abs() + torch.log1p(torch.exp(-2 * error.abs())) - math.log(2)


def one_hot(index, classes):
    return F.one_hot(index, classes).movedim(-1, 1).to(f64)


ce = F.cross_entropy
bce = F.binary_cross_entropy_with_logits
soft = torch.softmax(logits, 1)
soft_image = torch.softmax(image, 1)
hot = one_hot(indices, 4)
hot_image = one_hot(pixels, 3)
cases = {
    "ce": (ce(logits, indices), logits),
    "ce_probabilities": (ce(logits, probabilities), logits),
    "ce_weighted": (ce(logits, indices, weights), logits),
    "ce_smoothed": (ce(logits, indices, label_smoothing=0.1), logits),
    "ce_ignoring": (ce(logits, indices, ignore_index=3), logits),
    "ce_image": (ce(image, pixels), image),
    "bce_single": (bce(single[:, 0], yes.to(f64)), single),
    "bce_classes": (bce(logits, hot), logits),
    "bce_probabilities": (bce(logits, probabilities), logits),
    "bce_weighted": (bce(logits, hot, pos_weight=weights), logits),
    "lc_mean": (log_cosh(soft - hot).mean(), logits),
    "lc_sum": (log_cosh(soft - hot).sum(1).mean(), logits),
    "lc_probabilities": (log_cosh(soft - probabilities).mean(), logits),
    "lc_image": (log_cosh(soft_image - hot_image).mean(), image),
    "lc_image_sum": (log_cosh(soft_image - hot_image).sum(1).mean(), image),
    "lc_sigmoid": (log_cosh(torch.sigmoid(single[:, 0]) - yes).mean(), single),
    "lc_identity": (log_cosh(logits - probabilities).mean(), logits),
    "ms_mean": (F.mse_loss(soft, hot), logits),
    "ms_sum": ((soft - hot).square().sum(1).mean(), logits),
    "ms_sigmoid": (F.mse_loss(torch.sigmoid(single[:, 0]), yes.to(f64)), single),
    "ms_identity": (F.mse_loss(logits, probabilities), logits),
    "ce_log_cosh": (0.5 * ce(logits, indices) + 0.5 * log_cosh(soft - hot).mean(), logits),
}
tensors = {
    "input.logits": logits.detach(),
    "input.single": single.detach(),
    "input.image": image.detach(),
    "input.indices": indices,
    "input.yes": yes,
    "input.pixels": pixels,
    "input.probabilities": probabilities,
    "input.weights": weights,
}
for name, (loss, variable) in cases.items():
    tensors[f"output.{name}"] = loss.detach()
    tensors[f"gradient.{name}"] = torch.autograd.grad(loss, variable, retain_graph=True)[0]
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
