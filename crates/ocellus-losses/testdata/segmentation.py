"""Reference of the segmentation losses: segmentation_models_pytorch 0.6 and PyTorch; values and gradients."""

import torch
from safetensors.torch import save_file
from segmentation_models_pytorch.losses import DiceLoss, FocalLoss, JaccardLoss, LovaszLoss, TverskyLoss
from segmentation_models_pytorch.losses._functional import softmax_focal_loss_with_logits
from segmentation_models_pytorch.losses.lovasz import _lovasz_softmax

torch.manual_seed(0)
torch.set_num_threads(1)
f64 = torch.float64
# The reference sorts in single precision (`.float()`), which does not go with double precision logits.
torch.Tensor.float = torch.Tensor.double

logits = (2 * torch.randn(3, 4, 4, 5, dtype=f64)).requires_grad_()
binary = (2 * torch.randn(3, 1, 4, 5, dtype=f64)).requires_grad_()
indices = torch.randint(0, 4, (3, 4, 5))
few = indices % 2  # Classes 2 and 3 are absent.
void = indices.clone()
void[torch.rand(3, 4, 5) < 0.2] = 255
yes = torch.randint(0, 2, (3, 4, 5))
yes_void = yes.clone()
yes_void[torch.rand(3, 4, 5) < 0.2] = 255
soft = torch.rand(3, 1, 4, 5, dtype=f64)
many = torch.randint(0, 2, (3, 4, 4, 5)).to(f64)
weights = [0.5, 2.0, 1.0, 0.25]

C, B, M = "multiclass", "binary", "multilabel"
cases = {}
for name, loss in {"dice": DiceLoss, "jaccard": JaccardLoss, "tversky": TverskyLoss}.items():
    more = {"alpha": 0.3, "beta": 0.7, "gamma": 0.75} if name == "tversky" else {}
    cases |= {
        f"{name}": (loss(C, **more), logits, indices),
        f"{name}_smooth": (loss(C, smooth=1.0, **more), logits, indices),
        f"{name}_log": (loss(C, log_loss=True, **more), logits, indices),
        f"{name}_few": (loss(C, **more), logits, few),
        f"{name}_void": (loss(C, ignore_index=255, **more), logits, void),
        f"{name}_weighted": (loss(C, class_weights=weights, **more), logits, indices),
        f"{name}_classes": (loss(C, classes=[1, 3], **more), logits, indices),
        f"{name}_binary": (loss(B, **more), binary, yes),
        f"{name}_binary_void": (loss(B, ignore_index=255, smooth=0.5, **more), binary, yes_void),
        f"{name}_binary_soft": (loss(B, **more), binary, soft),
        f"{name}_multilabel": (loss(M, class_weights=weights, **more), logits, many),
    }
cases |= {
    "focal": (FocalLoss(C), logits, indices),
    "focal_gamma": (FocalLoss(C, gamma=1.3), logits, indices),
    "focal_void": (FocalLoss(C, ignore_index=255, alpha=0.25), logits, void),
    "focal_weighted": (FocalLoss(C, class_weights=weights), logits, indices),
    "focal_binary": (FocalLoss(B, alpha=0.25), binary, yes),
    "focal_binary_void": (FocalLoss(B, ignore_index=255), binary, yes_void),
    "focal_binary_soft": (FocalLoss(B), binary, soft),
    "focal_multilabel": (FocalLoss(M), logits, many),
    "focal_softmax": (softmax_focal_loss_with_logits, logits, indices),
    "ce": (torch.nn.CrossEntropyLoss(torch.tensor(weights, dtype=f64), ignore_index=255), logits, void),
    "lovasz": (LovaszLoss(C), logits, indices),
    "lovasz_image": (LovaszLoss(C, per_image=True), logits, indices),
    "lovasz_few": (LovaszLoss(C), logits, few),
    "lovasz_void": (LovaszLoss(C, ignore_index=255), logits, void),
    "lovasz_image_void": (LovaszLoss(C, per_image=True, ignore_index=255), logits, void),
    "lovasz_all": (lambda x, y: _lovasz_softmax(x.softmax(1), y, classes="all"), logits, few),
    "hinge": (LovaszLoss(B), binary, yes[:, None]),
    "hinge_image": (LovaszLoss(B, per_image=True), binary, yes[:, None]),
    "hinge_void": (LovaszLoss(B, ignore_index=255), binary, yes_void[:, None]),
    "hinge_image_void": (LovaszLoss(B, per_image=True, ignore_index=255), binary, yes_void[:, None]),
}
tensors = {
    "input.logits": logits.detach(),
    "input.binary": binary.detach(),
    "input.indices": indices,
    "input.few": few,
    "input.void": void,
    "input.yes": yes,
    "input.yes_void": yes_void,
    "input.soft": soft,
    "input.many": many,
    "input.weights": torch.tensor(weights, dtype=f64),
    "input.classes": torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=f64),
}
for name, (loss, x, target) in cases.items():
    value = loss(x, target)
    gradient = torch.autograd.grad(value, x)[0]
    tensors[f"output.{name}"] = value.detach()
    # All of an image each, the first for the void case's sake.
    tensors[f"gradient.{name}"] = gradient[:2].contiguous() if gradient.shape[1] == 4 else gradient
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
