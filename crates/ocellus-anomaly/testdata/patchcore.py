"""PatchCore: anomalib 2.7 on features; what the paper's authors describe, computed directly in PyTorch
and SciPy; for tests/anomaly/patchcore.rs."""

import torch
import torch.nn.functional as F
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter

from formula import fill

torch.set_num_threads(1)
tensors = {}
SIZE = (40, 35)


def features(count, phase):
    """Two scales: 6 channels of 8x7, 10 of 4x4."""
    fine = fill((count, 6, 8, 7), phase) * 0.4 + 0.3
    coarse = fill((count, 10, 4, 4), phase + 0.5) * 2 + 5
    return {"layer2": fine.float(), "layer3": coarse.float()}


class Given(torch.nn.Module):
    """In place of a network."""

    def forward(self, x):
        return self.features


train, test = features(3, 0.1), features(3, 0.9)

for name, neighbors in [("anomalib", 9), ("anomalib_few", 3)]:
    model = PatchcoreModel(("layer2", "layer3"), "resnet18", pre_trained=False, num_neighbors=neighbors)
    model.feature_extractor = Given()
    model.feature_extractor.features = train
    with torch.no_grad():
        embedding = model.train()(torch.zeros(3, 3, *SIZE))
        # Some patches of the images that are scored lie close to the bank.
        bank = embedding[::4].clone()
        model.memory_bank = bank
        model.eval()
        model.feature_extractor.features = test
        result = model(torch.zeros(3, 3, *SIZE))
    tensors[f"{name}.score"] = result.pred_score
    tensors[f"{name}.map"] = result.anomaly_map
tensors["anomalib.embedding"] = embedding


def bins(x, count):
    """Rows (n, L) to (n, count)."""
    return F.adaptive_avg_pool1d(x[:, None], count)[:, 0]


def vectors(features, dims):
    """(images, places, dims) in double precision."""
    scales = []
    for x in features.values():
        images, channels, height, width = x.shape
        patches = F.unfold(x.double(), 3, padding=1)  # (images, 9 channels, places)
        patches = patches.reshape(images, channels * 9, height, width)
        patches = F.interpolate(patches, size=(8, 7), mode="bilinear", align_corners=False)
        rows = patches.permute(0, 2, 3, 1).reshape(-1, channels * 9)
        scales.append(bins(rows, dims))
    return bins(torch.cat(scales, 1), dims).reshape(images, 56, dims)


bank = vectors(train, 20).reshape(-1, 20)[::5].float()
patches = vectors(test, 20)
distances = torch.cdist(patches, bank.double()[None]) ** 2
scores = distances.min(2).values
maps = F.interpolate(scores.reshape(3, 1, 8, 7), size=SIZE, mode="bilinear", align_corners=False)
tensors["official.bank"] = bank
tensors["official.embedding"] = patches.reshape(-1, 20).float()
tensors["official.score"] = scores.max(1).values.float()
tensors["official.score_3"] = distances.topk(3, 2, largest=False).values.mean(2).max(1).values.float()
tensors["official.map"] = torch.stack(
    [torch.from_numpy(gaussian_filter(m.numpy(), sigma=4)) for m in maps[:, 0]]
)[:, None].float()

save_file({k: v.contiguous() for k, v in tensors.items()}, __file__.replace(".py", ".safetensors"))
