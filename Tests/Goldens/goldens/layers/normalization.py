"""Normalization by statistics of the batch, of samples and of groups of channels."""
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
    x = Seeded("normalization/image").normal(2, 3, 4, 6, scale=1.7, shift=0.6)
    for name, options in {"groups2": dict(groups=2), "each": dict(groups=-1), "plain": dict(groups=3, center=False, scale=False),
                          "axis1": dict(groups=3, axis=1), "epsilon": dict(groups=1, epsilon=0.1)}.items():
        probe(made, f"group_normalization/{name}", keras.layers.GroupNormalization(**options), x)
    for name, options in {"last": {}, "axes": dict(axis=[2, 3]), "epsilon": dict(epsilon=0.1)}.items():
        probe(made, f"rms_normalization/{name}", keras.layers.RMSNormalization(**options), x)
    probe(made, "unit_normalization/last", keras.layers.UnitNormalization(), x)
    probe(made, "unit_normalization/axes", keras.layers.UnitNormalization(axis=[1, 2]), x)
