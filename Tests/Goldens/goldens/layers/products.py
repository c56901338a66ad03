"""Products along any axes: EinsumDense and Dot."""
import keras

from ..seeded import Seeded
from .probe import probe

EINSUM = {
    "dense": dict(equation="ab,bc->ac", output_shape=4, bias_axes="c"),
    "heads": dict(equation="abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de"),
    "joined": dict(equation="abc,bcd->ad", output_shape=5, bias_axes="d", activation="relu"),
    "any": dict(equation="...x,xy->...y", output_shape=4, bias_axes="y"),
    "middle": dict(equation="abc,bd->adc", output_shape=(3, 5), bias_axes="d"),
    "no_bias": dict(equation="abc,cd->abd", output_shape=(None, 3)),
}


def add(made):
    layers = keras.layers
    vectors, rows = Seeded("products/vectors").normal(3, 5), Seeded("products/rows").normal(2, 4, 5)
    for name, options in EINSUM.items():
        probe(made, f"einsum_dense/{name}", layers.EinsumDense(**options), vectors if name == "dense" else rows)
    lora = layers.EinsumDense("abc,cd->abd", output_shape=(None, 3), bias_axes="d", lora_rank=2)
    probe(made, "einsum_dense/lora", lora, rows, config={
        "equation": "abc,cd->abd", "output_shape": [None, 3], "bias_axes": "d", "lora_rank": 2})
    other = Seeded("products/other").normal(3, 5)
    probe(made, "dot/vectors", layers.Dot(axes=1), vectors, other)
    probe(made, "dot/cosine", layers.Dot(axes=-1, normalize=True), vectors, other)
    probe(made, "dot/rows", layers.Dot(axes=-1), rows, Seeded("products/more").normal(2, 3, 5))
    probe(made, "dot/axes", layers.Dot(axes=(2, 1)), rows, Seeded("products/turned").normal(2, 5, 3))
    probe(made, "dot/row_and_vectors", layers.Dot(axes=(1, 2)), Seeded("products/row").normal(2, 5), rows)
