"""Reference of AttentionGate: every variant from its formula, with PyTorch's own layers.

For each case: the parameters, the gated features, the map, and the gradients of a weighted sum of the
features by both inputs and all parameters; in training mode, and the features in evaluation mode too.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

torch.set_num_threads(1)
f64 = torch.float64


class Gate(nn.Module):
    def __init__(self, c, g, inter, *, s=1, theta_bias=False, phi_bias=True, psi_bias=True,
                 norm=False, alpha="sigmoid", output=False, corners=False):
        super().__init__()
        self.theta = nn.Conv2d(c, inter, s, stride=s, bias=theta_bias)
        self.phi = nn.Conv2d(g, inter, 1, bias=phi_bias)
        self.psi = nn.Conv2d(inter, 1, 1, bias=psi_bias)
        if norm:
            self.theta_norm, self.phi_norm = nn.BatchNorm2d(inter), nn.BatchNorm2d(inter)
            self.psi_norm = nn.BatchNorm2d(1)
        if output:
            self.W = nn.Sequential(nn.Conv2d(c, c, 1), nn.BatchNorm2d(c))
        self.alpha, self.corners, self.norm, self.output = alpha, corners, norm, output

    def resample(self, x, like):
        return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=self.corners)

    def weights(self, q):
        flat = q.flatten(2)
        low = flat.min(2, keepdim=True).values
        if self.alpha == "sigmoid":
            return torch.sigmoid(q)
        if self.alpha == "softmax":
            a = torch.softmax(flat, 2)
        elif self.alpha == "sum":
            a = (flat - low) / (flat - low).sum(2, keepdim=True)
        else:
            a = (flat - low) / (flat.max(2, keepdim=True).values - low)
        return a.view_as(q)

    def forward(self, x, g):
        same = nn.Identity()
        theta = (self.theta_norm if self.norm else same)(self.theta(x))
        phi = (self.phi_norm if self.norm else same)(self.phi(g))
        q = self.psi(F.relu(theta + self.resample(phi, theta)))
        a = self.resample(self.weights((self.psi_norm if self.norm else same)(q)), x)
        y = a * x
        return (self.W(y) if self.output else y), a


CASES = {
    "paper": {},
    "corners": dict(corners=True),
    "grid": dict(s=2, output=True),
    "sononet": dict(phi_bias=False, alpha="sum"),
    "monai": dict(theta_bias=True, norm=True),
    "softmax": dict(alpha="softmax", psi_bias=False),
    "range": dict(alpha="range"),
    "sub_sampled_corners": dict(s=2, corners=True, alpha="sum"),
}
tensors = {}
for index, (case, settings) in enumerate(CASES.items()):
    torch.manual_seed(index)
    gate = Gate(4, 5, 3, **settings).to(f64)
    for parameter in gate.parameters():
        nn.init.uniform_(parameter, -1, 1)
    initial = {name: value.clone() for name, value in gate.state_dict().items()}
    x = torch.randn(2, 4, 4, 5, dtype=f64, requires_grad=True)
    g = torch.randn(2, 5, 3, 2, dtype=f64, requires_grad=True)
    upstream = torch.randn(2, 4, 4, 5, dtype=f64)
    y, a = gate(x, g)
    (y * upstream).sum().backward()
    named = {f"param.{n}": v for n, v in initial.items() if "num_batches" not in n}
    named |= {f"gradient.{n}": p.grad for n, p in gate.named_parameters()}
    named |= {"x": x, "g": g, "upstream": upstream, "gradient.x": x.grad, "gradient.g": g.grad}
    named |= {"y": y, "map": a}
    gate.load_state_dict(initial)
    named["evaluated"] = gate.eval()(x, g)[0]
    tensors |= {f"{case}.{name}": value.detach() for name, value in named.items()}
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
