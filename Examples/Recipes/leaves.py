"""Makes leaves.npz, the data of leaves.yaml: drawings of three kinds of leaves with measurements. Needs NumPy."""

import numpy as np

random = np.random.default_rng(7)


def part(count):
    kind = random.integers(0, 3, count)
    light = random.uniform(0.2, 1, count)
    size = random.uniform(2.5, 5.5, count)
    y, x = np.mgrid[:12, :12] - 5.5
    pictures = np.zeros((count, 12, 12, 1), np.uint8)
    for i in range(count):
        a, b = np.abs(x) / size[i], np.abs(y) / size[i]
        inside = [a**2 + b**2 < 1, a + b < 1, np.maximum(a, 2 * b) < 1][kind[i]]
        noise = random.uniform(0, 60, (12, 12))
        pictures[i, :, :, 0] = np.where(inside, 195 * light[i], 0) + noise
    measures = np.stack([light, size / 5.5, random.uniform(0, 1, count)], 1).astype(np.float32)
    height = (0.5 * size / 5.5 + 0.3 * light * (kind + 1) + random.normal(0, 0.02, count)).astype(np.float32)
    return pictures, measures, kind.astype(np.uint8), height[:, None]


arrays = {}
for name, count in [("train", 240), ("test", 80)]:
    picture, measures, kind, height = part(count)
    arrays |= {f"x_{name}_picture": picture, f"x_{name}_measures": measures}
    arrays |= {f"y_{name}_kind": kind, f"y_{name}_height": height}
np.savez_compressed("leaves.npz", **arrays)
