"""Reference of the positional encoding: anomalib 2.7.0's."""

from anomalib.models.image.cflow.utils import positional_encoding_2d
from safetensors.torch import save_file

sizes = [(8, 3, 5), (128, 4, 7)]
tensors = {f"output.{size[0]}": positional_encoding_2d(*size) for size in sizes}
save_file(tensors, __file__.removesuffix(".py") + ".safetensors")
