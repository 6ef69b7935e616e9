"""PaDiM: anomalib 2.7 on features, and on images through a ResNet-18 of weights by the formula; the
code of xiahaifeng in double precision; for tests/padim.rs."""

import numpy as np
import torch
import torch.nn.functional as F
from anomalib.models.components import MultiVariateGaussian
from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.padim.torch_model import PadimModel
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter

from formula import fill, set_weights

torch.set_num_threads(1)
tensors = {}


def features(count, phase):
    """Two scales: 6 channels of 8x7, 10 of 4x4."""
    fine = fill((count, 6, 8, 7), phase) * 0.4 + 0.3
    coarse = fill((count, 10, 4, 4), phase + 0.5) * 2 + 5
    return fine.float(), coarse.float()


def embedding(count, phase, channels):
    fine, coarse = features(count, phase)
    both = torch.cat([fine, F.interpolate(coarse, size=(8, 7), mode="nearest")], 1)
    return both[:, channels]


# More images than channels, fewer, and more than a block of 32 of them.
for name, count, dim in [("many", 20, 9), ("few", 6, 14), ("blocks", 70, 9)]:
    torch.manual_seed(3)
    channels = torch.randperm(16)[:dim]
    train, test = embedding(count, 0.1, channels), embedding(3, 0.9, channels)
    gaussian = MultiVariateGaussian()
    mean, inverse = gaussian.fit(train)
    generator = AnomalyMapGenerator(sigma=4)
    distance = generator.compute_distance(test, [mean, inverse])
    tensors[f"{name}.distance"] = distance
    tensors[f"{name}.map"] = generator(
        embedding=test, mean=mean, inv_covariance=inverse, image_size=(40, 35)
    )
    if name == "many":
        tensors["many.mean"] = mean.T.contiguous()
        # As xiahaifeng: NumPy's covariance, a distance at a time, SciPy's smoothing.
        train, test = train.double().numpy(), test.double().numpy()
        distances = np.zeros((3, 8, 7))
        for y in range(8):
            for x in range(7):
                vectors = train[:, :, y, x]
                inverse = np.linalg.inv(np.cov(vectors, rowvar=False) + 0.01 * np.identity(dim))
                delta = test[:, :, y, x] - vectors.mean(0)
                distances[:, y, x] = np.sqrt(np.einsum("ni,ij,nj->n", delta, inverse, delta))
        maps = F.interpolate(
            torch.from_numpy(distances)[:, None], size=(40, 35), mode="bilinear", align_corners=False
        )
        planes = [gaussian_filter(plane[0].numpy(), sigma=4) for plane in maps]
        tensors["xiahaifeng.map"] = torch.from_numpy(np.stack(planes)[:, None]).float()

model = PadimModel(backbone="resnet18", pre_trained=False, n_features=100)
set_weights(model.feature_extractor.feature_extractor)
torch.manual_seed(11)
model.idx = torch.randperm(448)[:100]
images = lambda count, phase: (fill((count, 3, 64, 64), phase) * 0.5 + 0.5).float()
model.train()
model.feature_extractor.eval()
model(images(8, 0.2))
model(images(8, 0.4))
model.fit()
model.eval()
result = model(images(2, 0.6))
tensors["network.map"] = result.anomaly_map[:, :, ::2, ::2].contiguous()
tensors["network.score"] = result.pred_score
save_file({name: x.contiguous() for name, x in tensors.items()}, "padim.safetensors")
for name, x in tensors.items():
    print(name, tuple(x.shape), float(x.min()), float(x.max()))
