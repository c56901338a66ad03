"""Multi-head attention with parameters in Keras' layout: query/kernel is [features, heads, key_dim],
attention_output/kernel is [heads, value_dim, features]. Inputs in Keras' order: query, value, key."""
import keras
import numpy as np

from ..seeded import Seeded
from .probe import probe


def add(made):
    attention = keras.layers.MultiHeadAttention
    x = Seeded("attention/x").normal(2, 5, 6)
    source = Seeded("attention/source").normal(2, 4, 7)
    key = Seeded("attention/key").normal(2, 4, 3)
    as_self = lambda layer, t: layer(t[0], t[0])
    as_cross = lambda layer, t: layer(*t)
    probe(made, "attention/self", attention(num_heads=2, key_dim=3), x, call=as_self)
    probe(made, "attention/self/one_head", attention(num_heads=1, key_dim=4), x, call=as_self)
    probe(made, "attention/self/no_bias", attention(num_heads=2, key_dim=3, use_bias=False), x, call=as_self)
    probe(made, "attention/self/value_dim", attention(num_heads=3, key_dim=2, value_dim=4), x, call=as_self)
    probe(made, "attention/self/output_shape", attention(num_heads=2, key_dim=3, output_shape=8), x, call=as_self)
    probe(made, "attention/cross", attention(num_heads=2, key_dim=3), x, source, call=as_cross)
    probe(made, "attention/cross/key", attention(num_heads=2, key_dim=3, value_dim=5), x, source, key, call=as_cross)
    causal = attention(num_heads=2, key_dim=3)
    probe(made, "attention/self/causal", causal, x, call=lambda layer, t: layer(t[0], t[0], use_causal_mask=True),
          config={"num_heads": 2, "key_dim": 3, "value_dim": 3, "use_bias": True, "use_causal_mask": True})
