"""Small recurrent nets trained for twenty steps, from the same weights: losses of all steps and the last weights.

A case is a list of layers as {type: settings}, the parameters of which have the paths of ours: `1.cell.recurrentKernel` is a
parameter of layer 1. Steps go round three batches."""
import keras
import numpy as np
import tensorflow as tf

from .archive import Archive
from .recurrent import settings
from .seeded import Seeded

L = keras.layers
STEPS, BATCHES, BATCH, LENGTH, FEATURES = 20, 3, 4, 5, 3
OURS = {"recurrent_kernel": "recurrentKernel"}


def path(index, layer, variable):
    """The path of ours: cells are inside of layers, and the sides of Bidirectional have names."""
    last = variable.path.split("/")[-1]
    if isinstance(layer, L.Dense):
        return f"{index}.{'weight' if last == 'kernel' else last}"
    last = OURS.get(last, last)
    if isinstance(layer, L.Bidirectional):
        side = "forward" if variable.path in [v.path for v in layer.forward_layer.variables] else "backward"
        return f"{index}.{side}Layer.cell.{last}"
    return f"{index}.cell.{last}"


def train(made, name, make, data, labels, optimizer):
    net = keras.Sequential([keras.Input(batch_shape=data.shape[1:]), *make()])
    paths = {v.path: path(i, layer, v) for i, layer in enumerate(net.layers) for v in layer.trainable_variables}
    tensors = {"x": data, "y": labels}
    for v in net.trainable_variables:
        role = paths[v.path]
        fan_in = max(1, int(np.prod(v.shape[:-1])))
        value = Seeded(f"{name}:{role}").normal(*v.shape, scale=fan_in ** -0.5)
        v.assign(value)
        tensors[f"initial.{role}"] = value
    net.compile(optimizer=optimizer, loss="mean_squared_error")
    losses = []
    for step in range(STEPS):
        x, y = data[step % BATCHES], labels[step % BATCHES]
        with tf.GradientTape() as tape:
            loss = net.compute_loss(y=tf.constant(y), y_pred=net(tf.constant(x), training=True))
        gradients = tape.gradient(loss, [v.value for v in net.trainable_variables])
        net.optimizer.apply(gradients, net.trainable_variables)
        losses.append(float(loss))
    tensors["losses"] = np.float32(losses)
    for v in net.trainable_variables:
        tensors[f"final.{paths[v.path]}"] = np.array(v)
    layers = []
    for layer in net.layers:
        options = {k: v for k, v in settings(layer.get_config()).items() if not k.endswith("_initializer")}
        if hasattr(layer, "unroll"):
            options["unroll"] = layer.unroll
        layers.append({type(layer).__name__: options})
    kind = type(optimizer).__name__
    made.add(name, "Training", {"layers": layers, "optimizer": {kind: {"learning_rate": float(optimizer.learning_rate)}}}, tensors,
             parameters=list(paths.values()))


def archive():
    made = Archive("sequence_training")
    x = Seeded("sequence_training/x").normal(BATCHES, BATCH, LENGTH, FEATURES)
    gaps = x.copy()
    gaps[:, 0, 3:] = gaps[:, 1, 2] = gaps[:, 2, :1] = 0
    last = Seeded("sequence_training/last").normal(BATCHES, BATCH, 2)
    every = Seeded("sequence_training/every").normal(BATCHES, BATCH, LENGTH, 2)
    films = Seeded("sequence_training/films").normal(BATCHES, BATCH, 3, 4, 3, 2)
    labelled = Seeded("sequence_training/labelled").normal(BATCHES, BATCH, 2)
    nets = {
        "simple_rnn": (lambda: [L.SimpleRNN(3), L.Dense(2)], x, last),
        "lstm": (lambda: [L.LSTM(3), L.Dense(2)], x, last),
        "lstm/two": (lambda: [L.LSTM(3, return_sequences=True), L.LSTM(2, return_sequences=True), L.Dense(2)], x, every),
        "lstm/masked": (lambda: [L.Masking(), L.LSTM(3), L.Dense(2)], gaps, last),
        "lstm/masked/sequences": (lambda: [L.Masking(), L.LSTM(3, return_sequences=True), L.Dense(2)], gaps, every),
        "lstm/stateful": (lambda: [L.LSTM(3, stateful=True), L.Dense(2)], x[:, :1], last[:, :1]),
        "lstm/unrolled": (lambda: [L.LSTM(3, unroll=True), L.Dense(2)], x, last),
        "gru": (lambda: [L.GRU(3), L.Dense(2)], x, last),
        "gru/reset_before": (lambda: [L.GRU(3, reset_after=False), L.Dense(2)], x, last),
        "gru/stateful/sequences": (lambda: [L.GRU(3, stateful=True, return_sequences=True), L.Dense(2)], x[:, :1], every[:, :1]),
        "bidirectional": (lambda: [L.Bidirectional(L.LSTM(2)), L.Dense(2)], x, last),
        "bidirectional/masked": (lambda: [L.Masking(), L.Bidirectional(L.GRU(2, return_sequences=True)), L.Dense(2)], gaps, every),
        "conv_lstm": (lambda: [L.ConvLSTM2D(2, 2), L.Flatten(), L.Dense(2)], films, labelled),
    }
    for name, (make, data, labels) in nets.items():
        for rule in (lambda: keras.optimizers.SGD(0.1), lambda: keras.optimizers.Adam(0.02)):
            optimizer = rule()
            train(made, f"{name}/{type(optimizer).__name__.lower()}", make, data, labels, optimizer)
    return made
