"""Recurrent layers: output (several side by side), gradients. Parameters have the paths of ours: cell/kernel, …"""
import keras
import numpy as np
import tensorflow as tf

from .archive import Archive
from .layers import probe as probing
from .seeded import Seeded

L = keras.layers
DROPPED = ("unroll", "use_cudnn", "seed", "implementation", "module", "registered_name", "build_config")


def flat(outputs):
    """Several outputs as one tensor [N, …]."""
    if not isinstance(outputs, (list, tuple)):
        return outputs
    return tf.concat([tf.reshape(o, (o.shape[0], -1)) for o in outputs], axis=1)


def settings(config):
    """A layer's settings without those that have one meaning here only, inner layers as {type: settings}."""
    if isinstance(config, dict) and "class_name" in config and "config" in config:
        inner = settings(config["config"])
        if config.get("module") == "keras.initializers":
            return {config["class_name"]: {k: v for k, v in inner.items() if v is not None}}
        return {config["class_name"]: inner}
    if isinstance(config, dict):
        kept = {k: settings(v) for k, v in config.items() if k not in DROPPED and v is not None}
        return {k: v for k, v in kept.items() if k not in ("dtype", "trainable", "name")}
    if isinstance(config, (list, tuple)):
        return [settings(c) for c in config]
    return config


def recurrent(made, name, layer, *inputs, call=None, mask=None, roles=None, config=None, kind=None, training=False):
    if mask is not None:
        more = {"training": True} if training else {}
        call = lambda l, t: l(t[0], mask=tf.constant(mask), **more)
    call = call or (lambda l, t: l(t[0], initial_state=list(t[1:])) if len(t) > 1 else l(t[0]))
    count = {}

    def role_of(variable, _):
        if roles is not None:
            return roles[[v.path for v in layer.variables if "seed_generator" not in v.path].index(variable.path)]
        last = variable.path.split("/")[-1]
        inside = "/".join(variable.path.split("/")[:-1])
        for side in ("forward_", "backward_"):
            if side in inside.split("/", 1)[-1]:
                return f"{side}layer/cell/{last}"
        return last if type(layer).__name__.endswith("Cell") else f"cell/{last}"

    saved = probing.role_of
    probing.role_of = role_of
    try:
        probing.probe(made, name, layer, *inputs, call=lambda l, t: flat(call(l, t)),
                      config=config if config is not None else settings(layer.get_config()), kind=kind, training=training)
    finally:
        probing.role_of = saved


def archive():
    made = Archive("recurrent")
    x = Seeded("recurrent/x").normal(3, 5, 4)
    h, c = Seeded("recurrent/h").normal(3, 2), Seeded("recurrent/c").normal(3, 2)
    step = Seeded("recurrent/step").normal(3, 4)
    for kind, states in (("SimpleRNN", 1), ("LSTM", 2), ("GRU", 1)):
        make = getattr(L, kind)
        low = kind.lower()
        initial = [h, c][:states]
        recurrent(made, f"{low}", make(2), x)
        recurrent(made, f"{low}/sequences", make(2, return_sequences=True), x)
        recurrent(made, f"{low}/state", make(2, return_state=True), x)
        recurrent(made, f"{low}/sequences/state", make(2, return_sequences=True, return_state=True), x)
        recurrent(made, f"{low}/backwards", make(2, go_backwards=True, return_sequences=True), x)
        recurrent(made, f"{low}/no_bias", make(2, use_bias=False), x)
        recurrent(made, f"{low}/initial", make(2, return_sequences=True, return_state=True), x, *initial)
        recurrent(made, f"{low}/activation", make(2, activation="relu"), x)
        recurrent(made, f"{low}/bidirectional", L.Bidirectional(make(2)), x)
        recurrent(made, f"{low}/bidirectional/sequences/state",
                  L.Bidirectional(make(2, return_sequences=True, return_state=True)), x)
        recurrent(made, f"{low}/cell", getattr(L, kind + "Cell")(2), step, *initial,
                  call=lambda l, t: (lambda r: [r[0]] + list(r[1] if isinstance(r[1], (list, tuple)) else [r[1]]))(
                      l(t[0], list(t[1:]))))
        recurrent(made, f"{low}/rnn", L.RNN(getattr(L, kind + "Cell")(2), return_sequences=True), x)
        # Values that Masking marks: a gap in the middle, one sample that begins with it and one that ends with it.
        gaps = x.copy()
        gaps[0, 2] = gaps[1, 0] = gaps[2, 3:] = 0
        for sequences in (False, True):
            for zero in (False, True):
                masked = make(2, return_sequences=sequences, return_state=True, zero_output_for_mask=zero)
                recurrent(made, f"{low}/masked{'/sequences' if sequences else ''}{'/zero' if zero else ''}", masked, gaps,
                          mask=np.any(gaps != 0, axis=-1))
    recurrent(made, "lstm/hard_sigmoid", L.LSTM(3, recurrent_activation="hard_sigmoid"), x)
    recurrent(made, "gru/reset_before", L.GRU(3, reset_after=False, return_sequences=True), x)
    recurrent(made, "gru/reset_before/no_bias", L.GRU(3, reset_after=False, use_bias=False), x)
    for mode in ("sum", "mul", "ave"):
        recurrent(made, f"bidirectional/{mode}", L.Bidirectional(L.LSTM(2, return_sequences=True), merge_mode=mode), x)
    both = L.Bidirectional(L.GRU(2), merge_mode=None)
    recurrent(made, "bidirectional/none", both, x, config=settings(both.get_config()) | {"merge_mode": "none"})
    stacked = L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]), return_sequences=True, return_state=True)
    recurrent(made, "stacked", stacked, x, call=lambda l, t: (lambda r: [r[0]] + tf.nest.flatten(r[1:]))(l(t[0])),
              roles=[f"cell/cells/{i}/{r}" for i in (0, 1) for r in ("kernel", "recurrent_kernel", "bias")])
    recurrent(made, "time_distributed", L.TimeDistributed(L.Dense(3, activation="tanh")), x,
              roles=["layer/weight", "layer/bias"])
    # Masks of attention: zeros mark positions of the sequence, and a fourth input says which pairs attend.
    attention = L.MultiHeadAttention
    padded = x.copy()
    padded[0, 3:] = padded[2, :1] = 0
    marks = tf.constant(np.any(padded != 0, axis=-1))
    roles = [f"{n}/{r}" for n in ("query", "key", "value", "attention_output") for r in ("kernel", "bias")]
    options = {"num_heads": 2, "key_dim": 3, "value_dim": 3}

    def attend(layer, x, **options):
        """Self-attention with a mask on the tensor, which Keras looks at for the query."""
        masked = tf.identity(x)
        keras.src.backend.set_keras_mask(masked, marks)
        return layer(masked, masked, value_mask=marks, **options)

    recurrent(made, "attention/masked", attention(2, 3), padded, roles=roles, config=options,
              call=lambda l, t: attend(l, t[0]))
    recurrent(made, "attention/masked/causal", attention(2, 3), padded, roles=roles, config=options | {"use_causal_mask": True},
              call=lambda l, t: attend(l, t[0], use_causal_mask=True))
    pairs = (Seeded("recurrent/pairs").normal(3, 5, 5) > -0.5).astype("int32")
    recurrent(made, "attention/pairs", attention(2, 3), x, x + 0.5, x - 0.5, pairs, roles=roles, config=options,
              call=lambda l, t: l(t[0], t[1], t[2], attention_mask=t[3] != 0))
    # Masks of queries and values: zeros mark positions of both.
    sources = Seeded("recurrent/sources").normal(3, 6, 4)
    sources[0, 4:] = sources[1, 2] = 0
    seen = tf.constant(np.any(sources != 0, axis=-1))
    both = lambda l, t, **options: l(list(t), mask=[marks, seen], **options)
    for name, make in {"attention_layer": L.Attention, "attention_layer/concat": lambda: L.Attention(score_mode="concat", use_scale=True),
                       "additive_attention": L.AdditiveAttention}.items():
        own = {"additive_attention": ["scale"], "attention_layer/concat": ["scale", "concat_score_weight"]}.get(name, [])
        for causal in (False, True):
            layer = make()
            given = {k: v for k, v in settings(layer.get_config()).items() if k != "seed"} | {"use_causal_mask": causal}
            recurrent(made, f"{name}/masked{'/causal' if causal else ''}", layer, padded, sources, roles=own, config=given,
                      call=lambda l, t: both(l, t, use_causal_mask=causal))
    grouped = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    recurrent(made, "group_query_attention/masked", L.GroupQueryAttention(**grouped), padded, sources, roles=roles, config=grouped,
              call=lambda l, t: l(t[0], t[1], query_mask=marks, value_mask=seen), kind="GroupQueryAttention")
    normalization = L.BatchNormalization()
    recurrent(made, "batch_normalization/masked", normalization, padded, mask=marks, training=True,
              roles=["gamma", "beta", "moving_mean", "moving_variance"], config={"momentum": 0.99, "epsilon": 0.001})
    scores = Seeded("recurrent/scores").normal(3, 5)
    scores[0, 3:] = scores[2, 1] = 0
    recurrent(made, "softmax/masked", L.Softmax(), scores, mask=scores != 0, roles=[], config={"axis": -1})
    gap = x.copy()
    gap[0, 3:] = gap[2, :1] = 0
    recurrent(made, "pooling/masked", L.GlobalAveragePooling1D(), gap, mask=np.any(gap != 0, axis=-1))
    signals, films = Seeded("recurrent/signals").normal(2, 3, 6, 2), Seeded("recurrent/films").normal(2, 3, 5, 4, 2)
    volumes = Seeded("recurrent/volumes").normal(2, 3, 3, 4, 3, 2)
    for rank, x in ((1, signals), (2, films), (3, volumes)):
        make = getattr(L, f"ConvLSTM{rank}D")
        recurrent(made, f"conv_lstm/{rank}", make(3, 2, return_sequences=True, return_state=True), x)
        recurrent(made, f"conv_lstm/{rank}/same", make(2, 3, padding="same", activation="relu"), x)
    recurrent(made, "conv_lstm/2/strides", L.ConvLSTM2D(2, (2, 3), strides=(2, 1), go_backwards=True), films)
    recurrent(made, "repeat_vector", L.RepeatVector(3), step)
    return made
