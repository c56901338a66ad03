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
    same = Seeded("attention/same").normal(2, 4, 6)
    listed = lambda layer, t: layer(list(t))
    for name, options in {"dot": {}, "dot/scale": dict(use_scale=True), "concat": dict(score_mode="concat"),
                          "concat/scale": dict(score_mode="concat", use_scale=True)}.items():
        probe(made, f"attention_layer/{name}", keras.layers.Attention(**options), x, same, call=listed)
    probe(made, "attention_layer/key", keras.layers.Attention(), x, source, same, call=listed)
    causal = lambda layer, t: layer(list(t), use_causal_mask=True)
    layer = keras.layers.Attention()
    probe(made, "attention_layer/causal", layer, x, same, call=causal,
          config={"use_scale": False, "score_mode": "dot", "dropout": 0.0, "use_causal_mask": True})
    probe(made, "additive_attention", keras.layers.AdditiveAttention(), x, same, call=listed)
    probe(made, "additive_attention/plain", keras.layers.AdditiveAttention(use_scale=False), x, source, same, call=listed)
    grouped = keras.layers.GroupQueryAttention
    probe(made, "group_query_attention", grouped(head_dim=3, num_query_heads=4, num_key_value_heads=2), x, source, call=as_cross,
          kind="GroupQueryAttention")
    probe(made, "group_query_attention/one", grouped(head_dim=2, num_query_heads=3, num_key_value_heads=1, use_bias=False), x, source,
          call=as_cross, kind="GroupQueryAttention")
    full = dict(num_heads=2, key_dim=3, value_dim=2)
    probe(made, "attention/self/gate", attention(use_gate=True, **full), x, call=as_self)
    probe(made, "attention/self/window", attention(sliding_window=2, **full), x, call=as_self)
    window = attention(sliding_window=3, **full)
    probe(made, "attention/self/window/causal", window, x, call=lambda layer, t: layer(t[0], t[0], use_causal_mask=True),
          config=full | {"sliding_window": 3, "use_causal_mask": True})
    probe(made, "attention/cross/output_shape", attention(output_shape=(2, 4), **full), x, source, call=as_cross)
    films = Seeded("attention/films").normal(2, 3, 4, 5)
    others = Seeded("attention/others").normal(2, 3, 2, 6)
    probe(made, "attention/axes/all", attention(**full), films, call=as_self)
    probe(made, "attention/axes/1", attention(attention_axes=(1,), **full), films, call=as_self)
    probe(made, "attention/axes/2", attention(attention_axes=(2,), output_shape=(3, 2), **full), films, others, call=as_cross)
    options = dict(head_dim=3, num_query_heads=4, num_key_value_heads=2)
    probe(made, "group_query_attention/gate", grouped(use_gate=True, **options), x, source, call=as_cross, kind="GroupQueryAttention")
    probe(made, "group_query_attention/window", grouped(sliding_window=2, **options), x, call=as_self, kind="GroupQueryAttention")
    pairs = (Seeded("attention/pairs").normal(2, 5, 4) > -0.5).astype("int32")
    probe(made, "group_query_attention/pairs", grouped(**options), x, source, key, pairs, kind="GroupQueryAttention",
          call=lambda layer, t: layer(t[0], t[1], t[2], attention_mask=t[3] != 0))
