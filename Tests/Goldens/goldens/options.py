"""Twenty steps of `fit` with what can be said of any layer or optimizer: penalties, limits, frozen layers, means of weights,
gradients of several batches. Each case has the layers of a model as our files write them, the optimizer, the weights before
(`w0`, `w1`, … in the order of the layers) and after (`after0`, …), the loss of each epoch, and the loss of an evaluation."""
import keras
import numpy as np

from .archive import Archive
from .plain import plain
from .seeded import Seeded

L, R, C = keras.layers, keras.regularizers, keras.constraints
EPOCHS, SAMPLES, BATCH = 5, 22, 6
OPTIONS = ("gradient_accumulation_steps", "use_ema", "ema_momentum", "ema_overwrite_frequency")


def written(layer):
    """A layer as {type: settings}: only what differs from the defaults of its kind is of interest."""
    def value(v):
        if isinstance(v, dict) and "class_name" in v and "config" in v:
            return {"class_name": v["class_name"], "config": value(v["config"])}
        if isinstance(v, dict):
            return {k: value(x) for k, x in v.items()}
        if isinstance(v, (list, tuple)):
            return [value(x) for x in v]
        return v.item() if hasattr(v, "item") else v

    kept = {k: value(v) for k, v in layer.get_config().items()
            if v is not None and k.endswith(("_regularizer", "_constraint"))}
    kept |= plain({k: v for k, v in layer.get_config().items() if v is not None and not (k in ("input_shape", "batch_shape"))})
    for dropped in ("rms_scaling", "renorm_clipping", "renorm_momentum", "sparse", "ragged", "implementation", "unroll", "use_cudnn", "seed", "flash_attention", "virtual_batch_size",
                    "renorm", "attention_axes", "use_gate"):
        kept.pop(dropped, None)
    if not layer.trainable:
        kept["trainable"] = False
    return {type(layer).__name__.replace("Grouped", "Group"): kept}


def images():
    return Seeded("options/images").normal(SAMPLES, 6, 6, 3)


def sequences():
    return Seeded("options/sequences").normal(SAMPLES, 5, 4)


def words():
    return Seeded("options/words").integers(SAMPLES, 5, high=9)


def vectors():
    return Seeded("options/vectors").normal(SAMPLES, 5)


def cases():
    o = keras.optimizers
    sgd = lambda: o.SGD(0.1, momentum=0.5)
    yield "l2", vectors(), [L.Dense(6, activation="tanh", kernel_regularizer="l2"), L.Dense(3)], sgd()
    yield "l1/l2/activity", vectors(), [
        L.Dense(6, activation="tanh", kernel_regularizer=R.L1L2(0.02, 0.03), bias_regularizer=R.L1(0.1)),
        L.Dense(3, bias_regularizer=R.L2(0.2), activity_regularizer=R.L1L2(0.05, 0.1))], sgd()
    yield "orthogonal", vectors(), [
        L.Dense(6, activation="tanh", kernel_regularizer=R.OrthogonalRegularizer(0.5)),
        L.Dense(3, kernel_regularizer=R.OrthogonalRegularizer(0.5, mode="columns"))], sgd()
    yield "activity_layer", vectors(), [L.Dense(6), L.ActivityRegularization(0.02, 0.05), L.Dense(3)], sgd()
    yield "max_norm", vectors(), [
        L.Dense(6, activation="tanh", kernel_constraint=C.MaxNorm(0.7), bias_constraint=C.NonNeg()),
        L.Dense(3, kernel_constraint=C.MaxNorm(1.0, axis=1), bias_constraint=C.MaxNorm(0.05))], sgd()
    yield "unit_norm", vectors(), [
        L.Dense(6, activation="tanh", kernel_constraint=C.UnitNorm()),
        L.Dense(3, kernel_constraint=C.UnitNorm(axis=1), kernel_regularizer="l1")], o.Adam(0.01)
    yield "min_max_norm", vectors(), [
        L.Dense(6, activation="tanh", kernel_constraint=C.MinMaxNorm(0.5, 0.8)),
        L.Dense(3, kernel_constraint=C.MinMaxNorm(0.9, 1.1, rate=0.3, axis=1))], sgd()
    yield "convolution", images(), [
        L.Conv2D(4, 3, activation="relu", kernel_regularizer=R.L2(0.02), kernel_constraint=C.MaxNorm(1.0, axis=[0, 1, 2]),
                 bias_regularizer="l1", activity_regularizer=R.L2(0.001)),
        L.BatchNormalization(gamma_regularizer=R.L2(0.1), beta_regularizer=R.L1(0.1), gamma_constraint=C.NonNeg()),
        L.SeparableConv2D(3, 2, depthwise_regularizer=R.L1(0.01), pointwise_regularizer=R.L2(0.1),
                          depthwise_constraint=C.UnitNorm(axis=[0, 1, 2]), pointwise_constraint=C.NonNeg()),
        L.PReLU(alpha_regularizer=R.L2(0.3), alpha_constraint=C.NonNeg()),
        L.DepthwiseConv2D(2, depthwise_regularizer="l2", depthwise_constraint=C.MaxNorm(0.5)),
        L.Flatten(), L.Dense(3)], o.SGD(0.02)
    yield "transposed", images(), [
        L.Conv2DTranspose(2, 2, kernel_regularizer=R.L2(0.05), kernel_constraint=C.MaxNorm(0.9, axis=[0, 1, 3])),
        L.LayerNormalization(gamma_regularizer="l2", beta_constraint=C.NonNeg()),
        L.GroupNormalization(1, beta_regularizer="l1", gamma_constraint=C.MaxNorm(0.9)), L.Flatten(), L.Dense(3)], o.SGD(0.01)
    yield "lstm", words(), [
        L.Embedding(9, 4, embeddings_regularizer=R.L2(0.05), embeddings_constraint=C.MaxNorm(0.8, axis=1)),
        L.LSTM(3, return_sequences=True, kernel_regularizer=R.L2(0.02), recurrent_regularizer=R.L1(0.01), bias_regularizer="l2",
               kernel_constraint=C.MaxNorm(1.0), recurrent_constraint=C.UnitNorm(axis=1), activity_regularizer=R.L2(0.05)),
        L.GRU(3, recurrent_regularizer=R.L2(0.1), bias_constraint=C.NonNeg()), L.Dense(3)], sgd()
    yield "simple_rnn/frozen", sequences(), [
        L.SimpleRNN(4, kernel_regularizer=R.L2(0.5), trainable=False, return_sequences=True),
        L.BatchNormalization(trainable=False, gamma_regularizer="l2"), L.SimpleRNN(3, activity_regularizer="l1"), L.Dense(3)], sgd()
    yield "einsum_dense", sequences(), [
        L.EinsumDense("abc,cd->abd", output_shape=(5, 4), bias_axes="d", kernel_regularizer=R.L2(0.05), bias_regularizer="l2",
                      kernel_constraint=C.NonNeg(), activity_regularizer=R.L1(0.01)), L.Flatten(), L.Dense(3)], sgd()
    yield "sgd/ema", vectors(), [L.Dense(6, activation="tanh"), L.Dense(3)], o.SGD(0.3, use_ema=True, ema_momentum=0.9)
    yield "adam/ema/overwrite", vectors(), [
        L.Dense(6, activation="tanh", kernel_constraint=C.MaxNorm(0.8)), L.Dense(3, kernel_regularizer="l2")], \
        o.Adam(0.05, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3)
    yield "adam/accumulation", vectors(), [L.Dense(6, activation="tanh"), L.Dense(3)], o.Adam(0.05, gradient_accumulation_steps=3)
    yield "sgd/accumulation", vectors(), [
        L.Dense(6, activation="tanh", kernel_regularizer="l2"), L.Dense(3, kernel_constraint=C.MinMaxNorm(0.9, 1.1, rate=0.3))], \
        o.SGD(0.3, momentum=0.9, weight_decay=0.01, clipnorm=0.3, gradient_accumulation_steps=4)
    yield "adamw/accumulation/ema", vectors(), [L.Dense(6, activation="tanh"), L.Dense(3)], \
        o.AdamW(0.05, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=5)


def attention():
    x = keras.Input((5, 4))
    common = dict(kernel_regularizer=R.L2(0.02), bias_regularizer=R.L1(0.03), activity_regularizer=R.L2(0.05),
                  kernel_constraint=C.MaxNorm(0.9), bias_constraint=C.NonNeg())
    for layer in (L.MultiHeadAttention(2, 3, **common), L.GroupQueryAttention(3, 4, 2, **common)):
        y = L.Dense(3)(L.Flatten()(layer(x, x)))
        yield type(layer).__name__.replace("Grouped", "Group"), keras.Model(x, y)


def run(made, name, x, layers, model, optimizer, callbacks=(), validate=False):
    targets = Seeded("options/targets").normal(SAMPLES, 3)
    model.compile(optimizer=optimizer, loss="mse")
    variables = [v for layer in layers for v in layer.variables if "seed_generator" not in v.path]
    for index, variable in enumerate(variables):
        draw = Seeded(f"{name}:{index}")
        positive = variable.name in ("moving_variance",)
        variable.assign(draw.uniform(*variable.shape, low=0.5, high=1.5) if positive else draw.normal(*variable.shape, scale=0.5))
    before = {f"w{i}": np.array(v) for i, v in enumerate(variables)}
    history = model.fit(x, targets, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=list(callbacks),
                        validation_data=(x, targets) if validate else None).history
    after = {f"after{i}": np.array(v) for i, v in enumerate(variables)}
    tensors = {"losses": np.array(history["loss"], np.float32),
               "evaluation": np.array([model.evaluate(x, targets, batch_size=BATCH, verbose=0)], np.float32)}
    if validate:
        tensors["validation"] = np.array(history["val_loss"], np.float32)
    config = optimizer.get_config()
    made.add(name, "Sequential",
             {"layers": [written(layer) for layer in layers],
              "optimizer": {type(optimizer).__name__: plain(config) | {k: config[k] for k in OPTIONS if config[k] is not None}}},
             tensors | before | after, shared={"targets": "targets", "x": made.put(f"x{list(x.shape[1:])}{x.dtype}", x)})


def archive():
    made = Archive("options")
    made.put("targets", Seeded("options/targets").normal(SAMPLES, 3))
    for name, x, layers, optimizer in cases():
        shape = keras.Input(x.shape[1:], dtype=str(x.dtype))
        run(made, name, x, layers, keras.Sequential([shape, *layers]), optimizer)
    layers = [L.Dense(6, activation="tanh"), L.Dense(3)]
    optimizer = keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.8)
    x = vectors()
    run(made, "swap_ema", x, layers, keras.Sequential([keras.Input(x.shape[1:]), *layers]), optimizer,
        [keras.callbacks.SwapEMAWeights()], validate=True)
    for name, model in attention():
        run(made, name, sequences(), [l for l in model.layers if not isinstance(l, keras.layers.InputLayer)], model,
            keras.optimizers.SGD(0.05))
    return made
