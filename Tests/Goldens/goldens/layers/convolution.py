"""Two-dimensional convolutions, full and depthwise."""
import keras

from ..seeded import Seeded
from .probe import probe

CONV = {
    "seed": ((2, 8, 8, 1), dict(filters=4, kernel_size=3, activation="relu")),
    "valid": ((2, 6, 7, 3), dict(filters=4, kernel_size=3)),
    "same": ((2, 6, 7, 3), dict(filters=4, kernel_size=3, padding="same")),
    "valid/strides": ((2, 7, 8, 2), dict(filters=3, kernel_size=3, strides=2)),
    "same/strides": ((2, 7, 8, 2), dict(filters=3, kernel_size=3, strides=2, padding="same")),
    "same/strides/even": ((2, 8, 8, 2), dict(filters=3, kernel_size=3, strides=2, padding="same")),
    "same/strides3": ((1, 10, 11, 2), dict(filters=2, kernel_size=3, strides=3, padding="same")),
    "strides/uneven": ((1, 9, 8, 2), dict(filters=2, kernel_size=(3, 2), strides=(2, 1), padding="same")),
    "strides/longer_than_kernel": ((1, 9, 9, 2), dict(filters=2, kernel_size=2, strides=3, padding="same")),
    "valid/dilation": ((1, 9, 9, 2), dict(filters=3, kernel_size=3, dilation_rate=2)),
    "same/dilation": ((1, 9, 8, 2), dict(filters=3, kernel_size=3, dilation_rate=2, padding="same")),
    "dilation/uneven": ((1, 9, 9, 2), dict(filters=2, kernel_size=(3, 2), dilation_rate=(1, 3), padding="same")),
    "groups2": ((2, 5, 6, 4), dict(filters=6, kernel_size=3, groups=2)),
    "groups4/same/strides": ((1, 6, 7, 4), dict(filters=4, kernel_size=3, groups=4, strides=2, padding="same")),
    "kernel1x1": ((2, 4, 5, 3), dict(filters=5, kernel_size=1)),
    "kernel1x1/strides": ((2, 5, 5, 3), dict(filters=4, kernel_size=1, strides=2)),
    "kernel1x1/same/strides": ((2, 6, 5, 3), dict(filters=4, kernel_size=1, strides=2, padding="same")),
    "kernel5x5": ((1, 8, 9, 2), dict(filters=3, kernel_size=5)),
    "kernel5x5/same": ((1, 7, 8, 2), dict(filters=3, kernel_size=5, padding="same")),
    "kernel2x2/same": ((1, 5, 6, 2), dict(filters=3, kernel_size=2, padding="same")),
    "kernel4x4/same/strides": ((1, 9, 10, 2), dict(filters=2, kernel_size=4, strides=2, padding="same")),
    "kernel1x3": ((1, 5, 7, 2), dict(filters=3, kernel_size=(1, 3))),
    "kernel3x1/same": ((1, 5, 7, 2), dict(filters=3, kernel_size=(3, 1), padding="same")),
    "kernel5x2/same": ((1, 8, 7, 2), dict(filters=2, kernel_size=(5, 2), padding="same")),
    "no_bias": ((2, 5, 5, 2), dict(filters=3, kernel_size=3, use_bias=False)),
    "kernel_as_large_as_image": ((2, 4, 3, 2), dict(filters=3, kernel_size=(4, 3))),
    "kernel_larger_than_image/same": ((1, 3, 2, 2), dict(filters=2, kernel_size=5, padding="same")),
    "softmax": ((1, 4, 4, 2), dict(filters=3, kernel_size=2, activation="softmax")),
    "many_channels": ((1, 5, 5, 33), dict(filters=17, kernel_size=3, padding="same", activation="relu")),
}

DEPTHWISE = {
    "valid": ((2, 6, 5, 3), dict(kernel_size=3)),
    "same": ((2, 6, 5, 3), dict(kernel_size=3, padding="same")),
    "multiplier2": ((2, 6, 5, 3), dict(kernel_size=3, depth_multiplier=2)),
    "multiplier2/same": ((1, 5, 5, 2), dict(kernel_size=3, depth_multiplier=2, padding="same", activation="relu")),
    "strides": ((1, 7, 7, 3), dict(kernel_size=3, strides=2)),
    "strides/same": ((1, 7, 8, 3), dict(kernel_size=3, strides=2, padding="same")),
    "multiplier2/strides/same": ((1, 8, 7, 2), dict(kernel_size=3, strides=2, depth_multiplier=2, padding="same")),
    "dilation": ((1, 8, 8, 2), dict(kernel_size=3, dilation_rate=2)),
    "kernel5x3/no_bias": ((1, 8, 7, 2), dict(kernel_size=(5, 3), padding="same", use_bias=False)),
}


def add(made):
    for name, (shape, options) in CONV.items():
        probe(made, f"conv2d/{name}", keras.layers.Conv2D(**options), Seeded(f"conv2d/{name}").normal(*shape))
    for name, (shape, options) in DEPTHWISE.items():
        probe(made, f"depthwise_conv2d/{name}", keras.layers.DepthwiseConv2D(**options), Seeded(f"depthwise/{name}").normal(*shape))
