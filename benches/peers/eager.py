"""PyTorch's way of doing a case: eager or compiled, channels first or last."""

import torch
from torch.nn import functional as F

import modules

FORWARD = ("forward", "training")
GRADIENTS = ("by_x", "by_w", "backward")
OPTIMIZERS = {
    "step": lambda weights, **how: torch.optim.SGD(weights, lr=1e-4, momentum=0.9, **how),
    "sgd": lambda weights, **how: torch.optim.SGD(weights, lr=1e-4, momentum=0.9, **how),
    "rmsprop": lambda weights, **how: torch.optim.RMSprop(weights, lr=1e-4, **how),
    "adam": lambda weights, **how: torch.optim.Adam(weights, lr=1e-4, **how),
}


def load(case, tensors):
    """The module with the weights of the case."""
    module = modules.build(case["module"], case["input"][1])
    weights = {name[6:]: value for name, value in tensors.items() if name.startswith("param.")}
    report = module.load_state_dict(weights, strict=False)
    missing = [name for name in report.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or report.unexpected_keys:
        raise ValueError(f"missing {missing}, unexpected {report.unexpected_keys}")
    return module.train(case["pass"] != "forward")


def inputs(tensors):
    names = sorted(name for name in tensors if name.startswith("input."))
    return [tensors[name] for name in names]


class Eager:
    def __init__(self, case, tensors, place, channels_last=False, compiled=False, fused=False):
        torch._dynamo.reset()
        format = torch.channels_last if channels_last else torch.contiguous_format
        self.place = place
        tensors = {name: x.to(place.device) for name, x in tensors.items()}
        lay_out = lambda x: x.clone(memory_format=format) if x.dim() == 4 else x.clone()
        self.how = case["pass"]
        self.module = load(case, tensors).to(place.device, memory_format=format)
        parameters = dict(self.module.named_parameters())
        self.names, self.weights = list(parameters), list(parameters.values())
        if self.how in ("forward", "by_x"):
            self.module.requires_grad_(False)
        self.call = torch.compile(self.module) if compiled else self.module
        self.inputs = [lay_out(x) for x in inputs(tensors)]
        self.target = tensors.get("target")
        self.upstream = tensors.get("upstream")
        if self.how in ("by_x", "backward"):
            self.inputs = [x.requires_grad_(x.is_floating_point()) for x in self.inputs]
        wanted = [(f"grad.input.{i}", x) for i, x in enumerate(self.inputs)]
        wanted += [(f"grad.{name}", w) for name, w in zip(self.names, self.weights)]
        self.wanted = [(name, x) for name, x in wanted if x.requires_grad]
        self.optimizer = None
        self.likelihood = case["module"]["kind"] == "flow_decoder"
        if self.how in OPTIMIZERS:
            how = {"fused": True} if fused else {}
            update = "adam" if self.likelihood else self.how
            self.optimizer = OPTIMIZERS[update](self.weights, **how)
        if self.how in GRADIENTS:
            self.output = self.forward()
            self.upstream = lay_out(self.upstream)
        if self.how in OPTIMIZERS and self.how != "step":
            for weight in self.weights:
                weight.grad = weight.detach().clone()

    def forward(self):
        with self.place.arithmetic():
            return self.call(*self.inputs)

    def loss(self):
        y = self.forward()
        y = (y[0] if isinstance(y, tuple) else y).float()
        if self.likelihood:
            return -F.logsigmoid(y).mean()
        return (y * y).mean() if self.target is None else F.cross_entropy(y, self.target)

    def run(self):
        if self.how == "forward":
            with torch.inference_mode():
                self.forward()
        elif self.how == "training":
            self.forward()
        elif self.how in GRADIENTS:
            wanted = [x for _, x in self.wanted]
            torch.autograd.grad(self.output, wanted, self.upstream, retain_graph=True)
        elif self.how == "forward_backward":
            torch.autograd.grad(self.loss(), self.weights)
        elif self.how == "step":
            self.optimizer.zero_grad(set_to_none=True)
            self.loss().backward()
            self.optimizer.step()
        else:
            self.optimizer.step()

    def results(self):
        if self.how in FORWARD:
            with torch.inference_mode(self.how == "forward"):
                y = self.forward()
            outputs = y if isinstance(y, tuple) else (y,)
            return {f"output.{i}": y.detach() for i, y in enumerate(outputs)}
        if self.how in GRADIENTS or self.how in ("forward_backward", "step"):
            names, wanted = zip(*self.wanted)
            gradient = self.how in GRADIENTS
            what = (self.output, wanted, self.upstream) if gradient else (self.loss(), wanted)
            return dict(zip(names, torch.autograd.grad(*what, retain_graph=True)))
        self.run()
        return {name: weight.detach() for name, weight in zip(self.names, self.weights)}
