"""Layers that prepare numbers: scaled by the statistics of data, put into bins, spread into rows."""
import keras
import numpy as np
import tensorflow as tf

from .archive import Archive
from .layers.probe import probe
from .seeded import Seeded


def archive():
    made = Archive("preprocessing")
    layers = keras.layers
    data = Seeded("preprocessing/data").normal(40, 3, scale=4.0, shift=2.0)
    image = Seeded("preprocessing/image").normal(5, 4, 3, 2)
    adapted(made, "normalization", layers.Normalization(), data, data[:6])
    adapted(made, "normalization/single", layers.Normalization(axis=None), data, data[:6])
    adapted(made, "normalization/invert", layers.Normalization(invert=True), data, data[:6])
    adapted(made, "normalization/axes", layers.Normalization(axis=(1, 3)), image, image)
    adapted(made, "normalization/constant", layers.Normalization(), np.full((4, 2), 3, "float32"), np.full((4, 2), 3.5, "float32"))
    probe(made, "normalization/given", layers.Normalization(mean=[1.0, 2.0, -3.0], variance=[2.0, 0.5, 4.0]), data[:6])
    probe(made, "normalization/given_single", layers.Normalization(mean=3.0, variance=2.0), data[:6])
    probe(made, "normalization/given_last", layers.Normalization(axis=(1, 3), mean=[1.0, 2.0], variance=[2.0, 0.5]), image)
    numbers = np.array([[-1.5, 0, 0.99], [1, 2.5, 1e9], [-1e9, 3, 2]], "float32")
    bounds = [-1.0, 0.0, 1.0, 2.5]
    whole = np.array([[3, 2], [0, 0], [1, 3]], "int32")
    for mode in ["int", "one_hot", "multi_hot", "count"]:
        plain(made, f"discretization/{mode}", layers.Discretization(bin_boundaries=bounds, output_mode=mode), numbers)
        plain(made, f"discretization/{mode}/column", layers.Discretization(bin_boundaries=bounds, output_mode=mode), numbers[:, :1])
        if mode != "int":
            plain(made, f"category_encoding/{mode}", layers.CategoryEncoding(num_tokens=4, output_mode=mode), whole)
            plain(made, f"category_encoding/{mode}/column", layers.CategoryEncoding(num_tokens=4, output_mode=mode), whole[:, :1])
    weights = np.array([[0.5, 2], [1, 3], [-1, 0.25]], "float32")
    layer = layers.CategoryEncoding(num_tokens=4, output_mode="count")
    made.add("category_encoding/weights", "CategoryEncoding", {"num_tokens": 4, "output_mode": "count"},
             {"x0": whole, "x1": weights, "y": np.asarray(layer(whole, count_weights=weights), "float32"),
              "dy": Seeded("category_encoding/weights:dy").normal(3, 4)}, parameters=[])
    sound = Seeded("mel/sound").normal(2, 300)
    quiet = {"fft_length": 64, "sequence_stride": 20, "num_mel_bins": 6, "sampling_rate": 1000}
    probe(made, "mel_spectrogram", layers.MelSpectrogram(**quiet), sound[:1])
    probe(made, "mel_spectrogram/power", layers.MelSpectrogram(power_to_db=False, **quiet), sound)
    probe(made, "mel_spectrogram/short", layers.MelSpectrogram(sequence_length=40, window="hamming", mag_exp=1.0, power_to_db=False, max_freq=400.0, **quiet), sound)
    return made


def adapted(made, name, layer, data, x):
    """A layer that has learned from data: its mean and variance are given to ours, which learns its own elsewhere."""
    layer.adapt(data)
    t = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(t)
        y = layer(t)
        dy = tf.constant(Seeded(f"{name}:dy").normal(*y.shape))
        scalar = tf.reduce_sum(y * dy)
    axis = layer.axis[0] if len(layer.axis) == 1 else list(layer.axis) or None
    made.add(name, "Normalization", {"axis": axis, "invert": layer.invert},
             {"x": x, "y": y.numpy(), "dy": dy.numpy(), "dx": tape.gradient(scalar, t).numpy(),
              "adapted_mean": np.array(layer.adapt_mean), "adapted_variance": np.array(layer.adapt_variance),
              "count": np.array(1, "int32")}, parameters=["adapted_mean", "adapted_variance", "count"])


def plain(made, name, layer, x):
    """Results without gradients, as indices have none."""
    config = {k: v for k, v in layer.get_config().items() if k not in ("name", "dtype", "trainable", "sparse") and v is not None}
    y = np.asarray(layer(x))
    y = y.astype("int32" if y.dtype.kind == "i" else "float32")
    made.add(name, type(layer).__name__, config, {"x": x, "y": y, "dy": Seeded(f"{name}:dy").normal(*y.shape)}, parameters=[])
