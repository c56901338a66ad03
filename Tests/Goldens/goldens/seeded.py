"""Random arrays that depend only on a name, so a case stays as it was when others come or go."""
import zlib

import numpy as np


class Seeded:
    def __init__(self, name):
        self.generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))

    def normal(self, *shape, scale=1.0, shift=0.0):
        return (self.generator.standard_normal(shape) * scale + shift).astype(np.float32)

    def uniform(self, *shape, low=0.0, high=1.0):
        return self.generator.uniform(low, high, shape).astype(np.float32)

    def integers(self, *shape, low=0, high):
        return self.generator.integers(low, high, shape).astype(np.int32)

    def probabilities(self, *shape):
        e = np.exp(self.normal(*shape, scale=1.5))
        return (e / e.sum(-1, keepdims=True)).astype(np.float32)
