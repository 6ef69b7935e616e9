"""Writes small GeoTIFFs of every kind with GDAL (rasterio) and, as raster.csv, what rasterio reads from them.

The pixels follow a formula that the tests know: v = 3x + 5y + 40b, scaled to each type; `noise` is
(7919x + 104729y + 1299709b) mod 65536. Needs: pip install rasterio
"""

import csv
import os

import numpy as np
import rasterio
from rasterio.transform import Affine

WIDTH, HEIGHT = 37, 21
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "raster")
NORTH_UP = Affine(0.5, 0, 465000.25, 0, -0.5, 4220000.75)
ROTATED = Affine(0.4, 0.3, 465000.25, 0.3, -0.4, 4220000.75)
TILES = dict(tiled=True, blockxsize=16, blockysize=16)


def pixels(kind, bands):
    b, y, x = np.meshgrid(np.arange(bands), np.arange(HEIGHT), np.arange(WIDTH), indexing="ij")
    v = 3 * x + 5 * y + 40 * b
    return {
        "uint8": lambda: (v % 256).astype("uint8"),
        "int8": lambda: (v % 256 - 128).astype("int8"),
        "uint16": lambda: (v * 150).astype("uint16"),
        "noise": lambda: ((7919 * x + 104729 * y + 1299709 * b) % 65536).astype("uint16"),
        "int16": lambda: (v * 60 - 8000).astype("int16"),
        "uint32": lambda: (v * 3).astype("uint32"),
        "int32": lambda: (v * 1000 - 100000).astype("int32"),
        "float32": lambda: (v / 8 - 7.5).astype("float32"),
        "float64": lambda: (v / 8 - 7.5).astype("float64"),
    }[kind]()


def write(name, kind, bands, crs="EPSG:32636", transform=NORTH_UP, nodata=None, change=None, tags=None, **options):
    data = pixels(kind, bands)
    if change is not None:
        change(data)
    path = os.path.join(HERE, name + ".tif")
    profile = dict(
        driver="GTiff", width=WIDTH, height=HEIGHT, count=bands, dtype=data.dtype, crs=crs, nodata=nodata,
        **options,
    )
    if transform is not None:
        profile["transform"] = transform
    with rasterio.open(path, "w", **profile) as out:
        out.write(data)
        out.update_tags(**(tags or {}))


def hole(data):
    data[:, 3:5, 20:30] = 65535


def nans(data):
    data[1, 2, 3] = np.nan


def sparse():
    path = os.path.join(HERE, "sparse.tif")
    profile = dict(
        driver="GTiff", width=WIDTH, height=HEIGHT, count=2, dtype="uint16", crs="EPSG:32636", transform=NORTH_UP,
        nodata=77, sparse_ok=True, compress="deflate", **TILES,
    )
    with rasterio.open(path, "w", **profile) as out:
        data = pixels("uint16", 2)[:, :16, 16:32]
        out.write(data, window=rasterio.windows.Window(16, 0, 16, 16))


os.makedirs(HERE, exist_ok=True)
for old in os.listdir(HERE):
    os.remove(os.path.join(HERE, old))
write("strips_u8", "uint8", 3)
write("strips_u8_lzw_2", "uint8", 4, compress="lzw", predictor=2, photometric="rgb", blockysize=5)
write("strips_i16_packbits", "int16", 2, compress="packbits", blockysize=4)
write("strips_f32_3_planar", "float32", 2, compress="deflate", predictor=3, interleave="band", blockysize=8)
write("tiles_u16_2", "uint16", 4, compress="deflate", predictor=2, **TILES)
write("tiles_u16_planar", "uint16", 4, compress="lzw", predictor=2, interleave="band", **TILES)
write("tiles_noise_lzw", "noise", 3, compress="lzw", tiled=True, blockxsize=48, blockysize=32)
write("tiles_f32_3", "float32", 3, compress="lzw", predictor=3, **TILES)
write("tiles_f64_3", "float64", 1, compress="deflate", predictor=3, **TILES)
write("tiles_f32_2", "float32", 2, compress="deflate", predictor=2, **TILES)
write("tiles_i8", "int8", 1, compress="deflate", predictor=2, **TILES)
write("tiles_u32_2", "uint32", 2, compress="deflate", predictor=2, **TILES)
write("tiles_i32", "int32", 1, compress="deflate", **TILES)
write("big_tiff", "uint16", 4, compress="deflate", predictor=2, BIGTIFF="YES", **TILES)
write("big_endian_u16_2", "uint16", 4, compress="lzw", predictor=2, ENDIANNESS="BIG", **TILES)
write("big_endian_f32_3", "float32", 2, compress="deflate", predictor=3, ENDIANNESS="BIG", blockysize=8)
write("big_endian_big_tiff", "int16", 2, compress="deflate", ENDIANNESS="BIG", BIGTIFF="YES", **TILES)
write("big_endian_f64", "float64", 1, compress="deflate", ENDIANNESS="BIG", **TILES)
write("ten_bands", "uint8", 10, compress="deflate", blockysize=21)
write("no_data", "uint16", 2, compress="deflate", nodata=65535, change=hole, **TILES)
write("no_data_nan", "float32", 2, compress="deflate", nodata=float("nan"), change=nans, **TILES)
write("point", "uint8", 1, compress="deflate", tags=dict(AREA_OR_POINT="Point"))
write("rotated", "uint8", 1, compress="deflate", transform=ROTATED)
write("rotated_point", "uint8", 1, compress="deflate", transform=ROTATED, tags=dict(AREA_OR_POINT="Point"))
write("geographic", "uint8", 1, compress="deflate", crs="EPSG:4326", transform=Affine(1e-5, 0, 33.1, 0, -1e-5, 38.2))
write("web_mercator", "uint8", 1, compress="deflate", crs="EPSG:3857")
write("own_system", "uint8", 1, compress="deflate", crs="+proj=laea +lat_0=10 +lon_0=20 +datum=WGS84 +units=m")
write("nowhere", "uint8", 1, compress="deflate", crs=None, transform=None)
write("alpha", "uint8", 4, compress="deflate", photometric="rgb", alpha="non-premultiplied",
      change=lambda data: data[3].__setitem__((slice(0, 5), slice(None)), 0))
sparse()
write("jpeg_color", "uint8", 3, compress="jpeg", photometric="ycbcr", tiled=True, blockxsize=32, blockysize=32)
write("jpeg_gray", "uint8", 1, compress="jpeg", blockysize=16)
write("zstd", "uint8", 1, compress="zstd")
write("lerc", "uint8", 1, compress="lerc")

with rasterio.open(os.path.join(HERE, "complex.tif"), "w", driver="GTiff", width=5, height=5, count=1,
                   dtype="complex64") as out:
    out.write(np.ones((1, 5, 5), "complex64"))

with open(os.path.join(HERE, "..", "raster.csv"), "w", newline="") as out:
    table = csv.writer(out, lineterminator="\n")
    table.writerow("name type bands no_data epsg a b c d e f sum valid".split())
    for name in sorted(os.listdir(HERE)):
        if name[:-4] in ("zstd", "lerc", "complex"):
            continue
        with rasterio.open(os.path.join(HERE, name)) as scene:
            data = scene.read().astype("float64")
            finite = np.isfinite(data)
            epsg = scene.crs.to_epsg() if scene.crs else None
            affine = list(scene.transform)[:6] if name != "nowhere.tif" else [""] * 6
            missing = ~finite.all(0)
            if scene.nodata is not None:
                missing |= (data == scene.nodata).all(0)
            row = [name[:-4], scene.dtypes[0], scene.count, "" if scene.nodata is None else scene.nodata]
            row += ["" if epsg is None else epsg, *affine, data[finite].sum(), int((~missing).sum())]
            table.writerow(row)
