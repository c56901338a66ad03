"""Layers that move, join or scale values without parameters."""
import keras

from ..seeded import Seeded
from .probe import probe


def add(made):
    layers = keras.layers
    image = Seeded("shape/image").normal(2, 3, 4, 2)
    probe(made, "flatten", layers.Flatten(), image)
    probe(made, "flatten/rank2", layers.Flatten(), Seeded("shape/rank2").normal(3, 5))
    probe(made, "flatten/rank1", layers.Flatten(), Seeded("shape/rank1").normal(4))
    probe(made, "reshape", layers.Reshape((4, 6)), image)
    probe(made, "reshape/inferred", layers.Reshape((-1, 2, 3)), image)
    probe(made, "permute", layers.Permute((3, 1, 2)), image)
    probe(made, "zero_padding2d/one", layers.ZeroPadding2D(1), image)
    probe(made, "zero_padding2d/two", layers.ZeroPadding2D((1, 2)), image)
    probe(made, "zero_padding2d/four", layers.ZeroPadding2D(((1, 0), (2, 3))), image)
    probe(made, "rescaling", layers.Rescaling(1 / 255), Seeded("rescaling").uniform(2, 3, 3, 1, high=255))
    probe(made, "rescaling/offset", layers.Rescaling(1 / 127.5, offset=-1), Seeded("rescaling/offset").uniform(3, 4, high=255))
    a, b, c = (Seeded(f"merge/{i}").normal(2, 3, 4) for i in range(3))
    probe(made, "add/two", layers.Add(), a, b)
    probe(made, "add/three", layers.Add(), a, b, c)
    probe(made, "add/broadcast", layers.Add(), a, Seeded("merge/row").normal(2, 1, 4))
    probe(made, "subtract", layers.Subtract(), a, b)
    probe(made, "multiply", layers.Multiply(), a, b)
    probe(made, "average", layers.Average(), a, b, c)
    probe(made, "maximum", layers.Maximum(), a, b)
    probe(made, "concatenate/last", layers.Concatenate(), a, Seeded("merge/last").normal(2, 3, 2))
    probe(made, "concatenate/axis1", layers.Concatenate(axis=1), a, Seeded("merge/axis1").normal(2, 5, 4), b)
    probe(made, "dropout/inference", layers.Dropout(0.5), a)
    probe(made, "up_sampling2d", layers.UpSampling2D((2, 3)), image)
