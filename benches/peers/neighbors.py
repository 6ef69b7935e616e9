"""anomalib's nearest neighbors and coresets."""

import torch


class Neighbors:
    def __init__(self, case, tensors):
        from anomalib.models.image.patchcore.torch_model import PatchcoreModel

        self.model = PatchcoreModel(["layer2"], "resnet18", pre_trained=False)
        self.model.memory_bank = tensors["param.bank"]
        self.queries = tensors["input.0"].flatten(1)
        self.count = case["module"]["count"]

    @torch.inference_mode()
    def run(self):
        return self.model.nearest_neighbors(self.queries, self.count)[0]

    def results(self):
        return {"output.0": self.run()}


class Coreset:
    def __init__(self, case, tensors):
        from anomalib.models.components import KCenterGreedy

        rows = tensors["input.0"].flatten(1)
        ratio = (case["module"]["count"] + 0.5) / len(rows)
        self.sampler = KCenterGreedy(rows, ratio)

    @torch.inference_mode()
    def run(self):
        return self.sampler.select_coreset_idxs()

    @torch.inference_mode()
    def results(self):
        """Both draw projection and start: the largest distances that are left are alike."""
        self.sampler.update_distances(self.run()[-1])
        return {"output.0": self.sampler.min_distances.max()[None]}
