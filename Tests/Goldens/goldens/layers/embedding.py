"""Embedding: rows of a table; a row that is looked up twice gets both gradients."""
import keras
import numpy as np

from ..seeded import Seeded
from .probe import probe


def add(made):
    probe(made, "embedding/rank2", keras.layers.Embedding(11, 4), Seeded("embedding").integers(3, 5, high=11))
    probe(made, "embedding/rank1", keras.layers.Embedding(6, 3), np.int32([0, 5, 5, 2, 0]))
    lora = keras.layers.Embedding(6, 4)
    lora.build(None)
    lora.enable_lora(2, lora_alpha=3.0)
    probe(made, "embedding/lora", lora, np.int32([[0, 5], [5, 2]]),
          config={"input_dim": 6, "output_dim": 4, "lora_rank": 2, "lora_alpha": 3.0})
