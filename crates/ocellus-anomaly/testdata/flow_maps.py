"""Reference of CFLOW's and FastFlow's maps: anomalib 2.7.0, weights by `formula.py` of `ocellus-flows`.

anomalib measures by the maxima of a batch. Here all images are one batch, so that a detector that is
calibrated on all of them has the same maxima; what is left of the batch is the greatest sum, `cflow.top`,
from which anomalib subtracts.
"""

import pathlib
import sys

import torch
from anomalib.models.image.cflow.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.cflow.utils import cflow_head, get_logp, positional_encoding_2d
from anomalib.models.image.fastflow import anomaly_map as fastflow_map
from anomalib.models.image.fastflow.torch_model import create_fast_flow_block
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "ocellus-flows" / "testdata"))
from formula import fill, set_weights

torch.set_num_threads(2)
SIZES, IMAGES, SIZE = [(8, 6, 5), (6, 3, 3)], 3, (17, 20)
features = [2 * fill((IMAGES, *size), 0.25 + k) for k, size in enumerate(SIZES)]


def cflow():
    model = torch.nn.Module()
    model.decoders = torch.nn.ModuleList(cflow_head(8, 3, 1.9, size[0]) for size in SIZES)
    set_weights(model)
    likelihoods = []
    for (channels, height, width), x, decoder in zip(SIZES, features, model.decoders):
        places = positional_encoding_2d(8, height, width).double().permute(1, 2, 0).reshape(-1, 8)
        fibers = x.permute(0, 2, 3, 1).reshape(-1, channels)
        z, log_det = decoder(fibers, [places.repeat(IMAGES, 1)])
        likelihoods.append(get_logp(channels, z, log_det).detach() / channels)
    heights, widths = zip(*(size[1:] for size in SIZES))
    generator = AnomalyMapGenerator(["a", "b"])
    maps = generator(distribution=likelihoods, height=heights, width=widths, image_size=SIZE)
    pairs = zip(likelihoods, SIZES)
    probabilities = [(l - l.max()).exp().reshape(IMAGES, 1, *size[1:]) for l, size in pairs]
    scale = lambda p: torch.nn.functional.interpolate(p, SIZE, mode="bilinear", align_corners=True)
    top = sum(map(scale, probabilities)).max()
    return {"cflow.maps": maps[:, None], "cflow.top": top} | {
        f"cflow.likelihood.{k}": l.reshape(IMAGES, 1, *SIZES[k][1:]) for k, l in enumerate(likelihoods)
    }


def fastflow():
    model = torch.nn.Module()
    model.fast_flow_blocks = torch.nn.ModuleList(
        create_fast_flow_block(list(size), False, 1.0, 3) for size in SIZES
    )
    model.norms = torch.nn.ModuleList(torch.nn.LayerNorm(list(size)) for size in SIZES)
    set_weights(model)
    parts = zip(features, model.norms, model.fast_flow_blocks)
    hidden = [flow(norm(x))[0].detach() for x, norm, flow in parts]
    return {"fastflow.maps": fastflow_map.AnomalyMapGenerator(SIZE)(hidden)}


tensors = cflow() | fastflow()
save_file({n: x.contiguous() for n, x in tensors.items()}, __file__.removesuffix(".py") + ".safetensors")
