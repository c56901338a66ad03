"""Layers: output and gradients for given parameters."""
from ..archive import Archive
from . import activation, attention, convolution, dense, embedding, normalization, pooling, products, shape, spatial


def archive():
    made = Archive("layers")
    for module in (dense, activation, convolution, pooling, shape, normalization, embedding, attention, spatial, products):
        module.add(made)
    return made
