"""Opens with rasterio what `cargo test -p ocellus-data --test scene_writing` wrote:

    python crates/ocellus-data/testdata/written.py target/tmp/raster

Needs: pip install rasterio
"""

import sys

import numpy as np
import rasterio
from rasterio.transform import Affine

folder = sys.argv[1]
v = np.arange(3 * 300 * 270, dtype="int64")
measured = ((v * v // 7 + 3 * v) % 65536).astype("uint16").reshape(3, 270, 300)
north_up = Affine(0.5, 0, 465000.25, 0, -0.5, 4220000.75)
for name in ("tiles_u16", "strips_u16", "big_u16"):
    with rasterio.open(f"{folder}/{name}.tif") as scene:
        assert np.array_equal(scene.read(), measured), name
        assert scene.crs.to_epsg() == 32636 and scene.transform == north_up, scene.transform
        assert scene.profile["tiled"] == (name != "strips_u16") and scene.profile["compress"] == "deflate"
        assert scene.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "2"

with rasterio.open(f"{folder}/classes.tif") as scene:
    v = np.arange(5000)
    expected = np.where(v == 77, 255, v // 9 % 3).reshape(50, 100)
    assert np.array_equal(scene.read(1), expected) and scene.nodata == 255
    assert scene.transform == Affine(0.5, 0, 465010.25, 0, -0.5, 4219985.75), scene.transform
    assert scene.colormap(1)[1] == (220, 30, 30, 255) and scene.read_masks(1).min() == 0

for name, steps, missing in (("u8", 250, 255), ("u16", 50000, 65535), ("f32", None, np.nan)):
    with rasterio.open(f"{folder}/chances_{name}.tif") as scene:
        data = scene.read().astype("float64")
        chances = (np.arange(4800) % 101 / 100).reshape(2, 40, 60)
        assert scene.descriptions == ("ground & more", "building"), scene.descriptions
        assert np.array_equal(scene.nodata, missing, equal_nan=True)
        assert scene.read_masks(1)[0, 5] == 0 and scene.read_masks(1)[0, 6] == 255
        data[0, 0, 5] = chances[0, 0, 5] / scene.scales[0]
        assert np.abs(data * scene.scales[0] - chances).max() <= (0.5 / steps if steps else 1e-7) + 1e-12
        assert scene.crs.to_epsg() == 4326
        assert np.allclose(scene.transform[:6], (0.4, 0.3, 33.5, 0.3, -0.4, 38.25), rtol=0, atol=1e-15)
print("all as rasterio reads them")
