"""Batch and layer normalization."""
import keras

from ..seeded import Seeded
from .probe import probe

BATCH = {
    "rank2": ((6, 5), dict()),
    "image": ((3, 4, 5, 3), dict()),
    "axis1": ((4, 3, 5), dict(axis=1)),
    "options": ((6, 4), dict(momentum=0.8, epsilon=1e-2)),
    "no_scale": ((6, 4), dict(scale=False)),
    "no_center": ((6, 4), dict(center=False)),
}

LAYER = {
    "rank2": ((5, 6), dict()),
    "rank3": ((2, 4, 6), dict()),
    "epsilon": ((3, 5), dict(epsilon=1e-1)),
    "axis1": ((2, 4, 3), dict(axis=1)),
    "axes12": ((2, 4, 3), dict(axis=[1, 2])),
    "no_scale": ((3, 5), dict(scale=False)),
    "no_center": ((3, 5), dict(center=False)),
}


def add(made):
    for name, (shape, options) in BATCH.items():
        x = Seeded(f"batch/{name}").normal(*shape, scale=1.7, shift=0.6)
        probe(made, f"batch_normalization/{name}/training", keras.layers.BatchNormalization(**options), x, training=True,
              call=lambda layer, t: layer(t[0], training=True))
        probe(made, f"batch_normalization/{name}/inference", keras.layers.BatchNormalization(**options), x)
    for name, (shape, options) in LAYER.items():
        x = Seeded(f"layer/{name}").normal(*shape, scale=1.7, shift=0.6)
        probe(made, f"layer_normalization/{name}", keras.layers.LayerNormalization(**options), x)
