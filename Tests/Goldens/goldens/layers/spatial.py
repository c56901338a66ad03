"""Layers over sequences, images and volumes of every rank, channels last and first."""
import keras
import tensorflow as tf

from ..plain import plain
from ..seeded import Seeded
from .probe import probe

SHAPES = {1: (2, 9, 4), 2: (2, 6, 7, 4), 3: (1, 5, 4, 6, 4)}

CONV = {
    "valid": dict(filters=3, kernel_size=3),
    "same/strides": dict(filters=3, kernel_size=3, strides=2, padding="same", activation="relu"),
    "dilation": dict(filters=2, kernel_size=2, dilation_rate=2),
    "groups": dict(filters=6, kernel_size=2, groups=2, use_bias=False),
    "even/same": dict(filters=2, kernel_size=2, padding="same"),
}

TRANSPOSE = {
    "valid": dict(filters=3, kernel_size=3),
    "valid/strides": dict(filters=3, kernel_size=3, strides=2),
    "same/strides": dict(filters=2, kernel_size=3, strides=2, padding="same", activation="relu"),
    "same/even": dict(filters=2, kernel_size=4, strides=2, padding="same"),
    "strides_beyond_kernel": dict(filters=2, kernel_size=2, strides=3),
    "output_padding": dict(filters=2, kernel_size=3, strides=2, padding="same", output_padding=0),
    "output_padding/valid": dict(filters=2, kernel_size=3, strides=3, output_padding=1, use_bias=False),
}

DEPTHWISE = {
    "valid": dict(kernel_size=3),
    "multiplier/same": dict(kernel_size=3, depth_multiplier=2, padding="same", activation="relu"),
    "strides": dict(kernel_size=2, strides=2),
    "dilation": dict(kernel_size=2, dilation_rate=2),
}

POOL = {
    "valid": dict(pool_size=2),
    "same": dict(pool_size=2, padding="same"),
    "overlapping/same": dict(pool_size=3, strides=2, padding="same"),
    "first": dict(pool_size=2, data_format="channels_first"),
}


def turned(layer, inputs):
    """The layer on an input with channels first, as its channels-last self computes it."""
    y = layer(tf.transpose(inputs[0], [0, *range(2, len(inputs[0].shape)), 1]))
    return tf.transpose(y, [0, len(y.shape) - 1, *range(1, len(y.shape) - 1)])


def add(made):
    layers = keras.layers
    for rank, shape in SHAPES.items():
        x = Seeded(f"spatial/{rank}").normal(*shape)
        for name, options in CONV.items():
            if rank == 2:
                continue
            probe(made, f"conv{rank}d/{name}", getattr(layers, f"Conv{rank}D")(**options), x)
        # TensorFlow has no convolution with channels first on a CPU.
        for kind, options in (("", {}), ("Transpose", dict(strides=2))):
            layer = getattr(layers, f"Conv{rank}D{kind}")(3, 3, activation="tanh", padding="same", **options)
            config = plain(layer.get_config()) | {"data_format": "channels_first"}
            probe(made, f"conv{rank}d{kind and '_transpose'}/first", layer, x, config=config, call=turned)
        for name, options in TRANSPOSE.items():
            layer = getattr(layers, f"Conv{rank}DTranspose")(**options)
            config = plain(layer.get_config()) | {k: v for k, v in options.items() if k == "output_padding"}
            probe(made, f"conv{rank}d_transpose/{name}", layer, x, config=config)
        if rank < 3:
            for name, options in DEPTHWISE.items():
                if rank == 1:
                    probe(made, f"depthwise_conv1d/{name}", layers.DepthwiseConv1D(**options), x)
                separable = getattr(layers, f"SeparableConv{rank}D")(filters=3, **options)
                probe(made, f"separable_conv{rank}d/{name}", separable, x)
        for name, options in POOL.items():
            if rank == 2 and name != "first":
                continue
            probe(made, f"max_pooling{rank}d/{name}", getattr(layers, f"MaxPooling{rank}D")(**options), x)
            probe(made, f"average_pooling{rank}d/{name}", getattr(layers, f"AveragePooling{rank}D")(**options), x)
        for kind in ("Average", "Max"):
            low = f"{kind.lower()}_pooling{rank}d"
            pooling = getattr(layers, f"Global{kind}Pooling{rank}D")
            if rank != 2:
                probe(made, f"global_{low}", pooling(), x)
                probe(made, f"global_{low}/keepdims", pooling(keepdims=True), x)
            probe(made, f"global_{low}/first", pooling(data_format="channels_first"), x)
            adaptive = getattr(layers, f"Adaptive{kind}Pooling{rank}D")
            probe(made, f"adaptive_{low}", adaptive(2), x)
            probe(made, f"adaptive_{low}/uneven", adaptive((4, 4, 3)[:rank] if rank > 1 else 4), x)
            probe(made, f"adaptive_{low}/larger", adaptive((7, 4, 3)[:rank] if rank > 1 else 11), x)
            probe(made, f"adaptive_{low}/first", adaptive(3, data_format="channels_first"), x)
        sides = tuple((i, 2 - i) for i in range(3))[:rank] if rank > 1 else (1, 2)
        first = {} if rank == 1 else dict(data_format="channels_first")
        probe(made, f"cropping{rank}d", getattr(layers, f"Cropping{rank}D")(sides), x)
        probe(made, f"cropping{rank}d/all", getattr(layers, f"Cropping{rank}D")(1), x)
        if rank != 2:
            probe(made, f"zero_padding{rank}d", getattr(layers, f"ZeroPadding{rank}D")(sides), x)
            probe(made, f"up_sampling{rank}d", getattr(layers, f"UpSampling{rank}D")(2), x)
        if first:
            probe(made, f"zero_padding{rank}d/first", getattr(layers, f"ZeroPadding{rank}D")(sides, **first), x)
            probe(made, f"up_sampling{rank}d/first", getattr(layers, f"UpSampling{rank}D")(2, **first), x)
    series = Seeded("spatial/series").normal(2, 8, 3)
    for name, options in (("causal", {}), ("causal/dilation", dict(dilation_rate=2)), ("causal/strides", dict(strides=2))):
        probe(made, f"conv1d/{name}", layers.Conv1D(4, 3, padding="causal", **options), series)
    image = Seeded("spatial/image").normal(1, 4, 3, 2)
    for method in ("bilinear", "bicubic", "lanczos3", "lanczos5"):
        probe(made, f"up_sampling2d/{method}", layers.UpSampling2D((2, 4), interpolation=method), image)
    probe(made, "flatten/first", layers.Flatten(data_format="channels_first"), image)
    photo = Seeded("spatial/photo").uniform(2, 5, 7, 3, high=255)
    for method in ("nearest", "bilinear", "bicubic", "lanczos3"):
        probe(made, f"resizing/{method}", layers.Resizing(8, 4, interpolation=method), photo)
    probe(made, "resizing/crop", layers.Resizing(6, 6, crop_to_aspect_ratio=True), photo)
    probe(made, "resizing/pad", layers.Resizing(6, 6, pad_to_aspect_ratio=True, fill_value=9.0), photo)
    probe(made, "resizing/first", layers.Resizing(4, 8, data_format="channels_first"), photo.transpose(0, 3, 1, 2).copy())
    probe(made, "center_crop", layers.CenterCrop(2, 4), photo)
    probe(made, "center_crop/larger", layers.CenterCrop(8, 4), photo)
