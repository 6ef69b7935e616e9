"""Writes geo.json: coordinates by pyproj, polygons and masks by GDAL (rasterio.features).

Needs: pip install rasterio pyproj shapely
"""

import json
import os

import numpy as np
import pyproj
from rasterio import features
from rasterio.transform import Affine
from shapely.geometry import shape

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(4)


def project(epsg, lon, lat):
    return pyproj.Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)


def places():
    rows = []
    for zone, south in [(1, 0), (31, 0), (33, 0), (36, 0), (60, 0), (19, 1), (56, 1)]:
        epsg = (32700 if south else 32600) + zone
        for dlon, lat in [(0, 10), (-3, 38.1), (2.7, 45.5), (1e-4, 83.9), (-3.3, 0.001), (6, 60), (-12, 20)]:
            lon, lat = zone * 6 - 183 + dlon, -lat if south else lat
            if abs(lon) <= 180:
                rows.append([epsg, lon, lat, *project(epsg, lon, lat)])
    for lon, lat in [(0, 0), (7.65, 45.06), (-179.9, -84), (151.2, -33.87)]:
        rows.append([3857, lon, lat, *project(3857, lon, lat)])
    return rows


def canonical(ring):
    ring = [[int(x), int(y)] for x, y in ring[:-1]]
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1]))
    first = min(range(len(ring)), key=lambda i: (ring[i][1], ring[i][0]))
    return ring[first:] + ring[:first], area


def outlines(labels):
    rows = []
    for geometry, value in features.shapes(labels, mask=labels > 0, connectivity=4):
        assert shape(geometry).is_valid
        rings = geometry["coordinates"]
        outer, area = canonical(rings[0])
        outer = outer if area > 0 else outer[:1] + outer[:0:-1]
        holes = []
        for ring in rings[1:]:
            hole, area = canonical(ring)
            holes.append(hole if area < 0 else hole[:1] + hole[:0:-1])
        holes.sort(key=lambda hole: (hole[0][1], hole[0][0]))
        rows.append({"class": int(value), "outer": outer, "holes": holes})
    rows.sort(key=lambda row: (row["outer"][0][1], row["outer"][0][0]))
    return {"labels": ["".join(map(str, row)) for row in labels], "polygons": rows}


def maps():
    noise = rng.integers(0, 3, (12, 20)).astype("uint8")
    coarse = np.kron(rng.integers(0, 3, (5, 7)), np.ones((3, 3), int)).astype("uint8")
    rings = np.zeros((14, 14), "uint8")
    for depth, value in enumerate([1, 2, 1, 0, 1, 2]):
        rings[depth:14 - depth, depth:14 - depth] = value
    rings[[4, 5], [4, 3]] = 1
    return [outlines(labels) for labels in (noise, coarse, rings)]


def masks():
    rows = []
    height, width = 18, 24
    for case in range(14):
        count = rng.integers(3, 9)
        scale = [1, 2, 4][case % 3]
        ring = (rng.uniform(-3, [width + 3, height + 3], (count, 2)) * scale).round() / scale
        if case % 3 == 0:
            ring = ring + rng.uniform(-0.5, 0.5, ring.shape)
        if case in (4, 7):
            ring = np.array([[2.5, 3.5], [14.5, 3.5], [14.5, 9.5], [10, 9.5], [10, 12.5], [2.5, 12.5]])
            ring = ring[::-1] if case == 7 else ring
        rings = [ring.tolist()]
        if case % 4 == 1:
            rings.append((ring * 0.4 + ring.mean(0) * 0.6).tolist())
        rings = [ring + ring[:1] for ring in rings]
        mask = features.rasterize([{"type": "Polygon", "coordinates": rings}], (height, width))
        rows.append({"rings": rings, "mask": ["".join(map(str, row)) for row in mask]})
    return rows


def houses():
    """Footprints in longitude and latitude on a scene in UTM."""
    transform = Affine(0.5, 0, 465000.25, 0, -0.5, 4220000.75)
    to_lon_lat = pyproj.Transformer.from_crs(32636, 4326, always_xy=True)
    to_scene = pyproj.Transformer.from_crs(4326, 32636, always_xy=True)
    polygons, projected = [], []
    for _ in range(5):
        center = rng.uniform(3, 25, 2)
        angle = rng.uniform(0, 3) + np.arange(4) * np.pi / 2
        corners = center + 6 * np.stack([np.cos(angle), np.sin(angle)], 1)
        corners = np.concatenate([corners, corners[:1]])
        lon, lat = to_lon_lat.transform(*(transform * corners.T))
        polygons.append([np.stack([lon, lat], 1).tolist()])
        projected.append({"type": "Polygon", "coordinates": [np.stack(to_scene.transform(lon, lat), 1).tolist()]})
    mask = features.rasterize(projected, (28, 28), transform=transform)
    return {"multi": {"type": "MultiPolygon", "coordinates": polygons}, "mask": ["".join(map(str, r)) for r in mask]}


with open(os.path.join(HERE, "geo.json"), "w") as out:
    json.dump({"places": places(), "maps": maps(), "masks": masks(), "houses": houses()}, out, separators=(",", ":"))
    out.write("\n")
