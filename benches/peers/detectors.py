"""anomalib's way of fitting and scoring by features."""

import torch


class Padim:
    """`fit`: features of normal images to means; else of images to distances."""

    def __init__(self, case, tensors):
        from anomalib.models.components import MultiVariateGaussian
        from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator

        self.fits = case["module"]["kind"] == "padim_fit"
        self.gaussian, self.distance = MultiVariateGaussian(), AnomalyMapGenerator.compute_distance
        self.features = tensors["input.0"]
        if not self.fits:
            self.statistics = self.gaussian.fit(tensors["input.1"])

    @torch.inference_mode()
    def run(self):
        if self.fits:
            return self.gaussian.fit(self.features)[0].T
        return self.distance(self.features, self.statistics)

    def results(self):
        return {"output.0": self.run()}
