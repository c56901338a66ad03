"""Layers: output and gradients for given parameters."""
from ..archive import Archive
from . import activation, attention, convolution, dense, embedding, normalization, pooling, shape


def archive():
    made = Archive("layers")
    for module in (dense, activation, convolution, pooling, shape, normalization, embedding, attention):
        module.add(made)
    return made
