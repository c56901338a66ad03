"""Pooling, windowed and global. "same" average pooling counts only the elements inside the image."""
import keras
import numpy as np

from ..seeded import Seeded
from .probe import probe

WINDOWS = {
    "valid": ((2, 6, 6, 3), dict()),
    "valid/odd": ((2, 5, 7, 3), dict()),
    "same": ((1, 6, 6, 2), dict(padding="same")),
    "same/odd": ((2, 5, 7, 3), dict(padding="same")),
    "pool3": ((1, 8, 9, 2), dict(pool_size=3)),
    "overlapping": ((2, 7, 7, 2), dict(pool_size=3, strides=2)),
    "overlapping/same": ((2, 6, 7, 2), dict(pool_size=3, strides=2, padding="same")),
    "strides1/same": ((1, 5, 5, 2), dict(pool_size=3, strides=1, padding="same")),
    "pool2x3": ((1, 6, 7, 2), dict(pool_size=(2, 3))),
    "pool2x3/strides": ((1, 6, 7, 2), dict(pool_size=(2, 3), strides=(1, 2), padding="same")),
    "gaps": ((1, 9, 8, 2), dict(pool_size=2, strides=3)),
    "gaps/same": ((1, 9, 8, 2), dict(pool_size=2, strides=3, padding="same")),
}


def add(made):
    for name, (shape, options) in WINDOWS.items():
        x = Seeded(f"pooling/{name}").normal(*shape)
        probe(made, f"max_pooling2d/{name}", keras.layers.MaxPooling2D(**options), x)
        probe(made, f"average_pooling2d/{name}", keras.layers.AveragePooling2D(**{"pool_size": 2} | options), x)
    ties = np.maximum(Seeded("pooling/ties").normal(1, 6, 6, 2), 0)
    probe(made, "max_pooling2d/ties", keras.layers.MaxPooling2D(), ties)
    probe(made, "max_pooling2d/ties/overlapping", keras.layers.MaxPooling2D(pool_size=3, strides=1, padding="same"), ties)
    x = Seeded("pooling/global").normal(2, 5, 4, 3)
    for keep in (False, True):
        ending = "/keepdims" if keep else ""
        probe(made, f"global_average_pooling2d{ending}", keras.layers.GlobalAveragePooling2D(keepdims=keep), x)
        probe(made, f"global_max_pooling2d{ending}", keras.layers.GlobalMaxPooling2D(keepdims=keep), x)
