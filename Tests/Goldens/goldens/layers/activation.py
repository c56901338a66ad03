"""Activations by themselves, also where they are steep, flat or bent."""
import keras
import numpy as np
import tensorflow as tf

from ..seeded import Seeded
from .dense import ACTIVATIONS
from .probe import probe

EDGES = np.float32([[-80, -20, -6, -3.5, -3, -2.5, -1, -0.5], [-1e-4, -0.0, 0.0, 1e-4, 0.5, 1, 2.5, 3], [3.5, 5.5, 6, 6.5, 10, 20, 50, 80]])
EXTRA = ["hard_silu", "mish", "hard_tanh", "log_sigmoid", "squareplus", "celu", "glu", "hard_shrink", "soft_shrink", "tanh_shrink",
         "sparse_plus", "sparse_sigmoid"]


def sparsemax(x):
    """The projection onto distributions as Martins and Astudillo define it; in Keras 3.15 the results do not sum to 1."""
    ordered = tf.sort(x, direction="DESCENDING", axis=-1)
    sums, ranks = tf.cumsum(ordered, axis=-1), tf.range(1, x.shape[-1] + 1, dtype=x.dtype)
    inside = tf.cast(1 + ranks * ordered > sums, x.dtype)
    count = tf.reduce_sum(inside, axis=-1, keepdims=True)
    return tf.maximum(x - (tf.reduce_sum(ordered * inside, axis=-1, keepdims=True) - 1) / count, 0)


def add(made):
    x = Seeded("activation").normal(4, 6, scale=2.0)
    for activation in ACTIVATIONS + EXTRA:
        probe(made, f"activation/{activation}", keras.layers.Activation(activation), x)
        probe(made, f"activation/{activation}/edges", keras.layers.Activation(activation), EDGES)
    for ending, value in (("", x), ("/edges", EDGES)):
        gelu = keras.layers.Activation(lambda v: keras.activations.gelu(v, approximate=True))
        probe(made, f"activation/gelu_approximate{ending}", gelu, value, config={"activation": "gelu", "approximate": True})
    probe(made, "relu/max_value", keras.layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.5), x)
    probe(made, "leaky_relu", keras.layers.LeakyReLU(), x)
    probe(made, "elu/alpha", keras.layers.ELU(alpha=0.5), x)
    probe(made, "prelu", keras.layers.PReLU(), x)
    probe(made, "softmax/last", keras.layers.Softmax(), x)
    probe(made, "softmax/axis1", keras.layers.Softmax(axis=1), Seeded("softmax/axis1").normal(2, 3, 4))
    threshold = keras.layers.Activation(lambda v: keras.activations.threshold(v, 0.5, -1.0))
    given = {"activation": {"name": "threshold", "threshold": 0.5, "default_value": -1.0}}
    probe(made, "activation/threshold", threshold, x, config=given)
    for ending, value in (("", x), ("/edges", EDGES)):
        probe(made, f"activation/sparsemax{ending}", keras.layers.Activation(sparsemax), value, config={"activation": "sparsemax"})
