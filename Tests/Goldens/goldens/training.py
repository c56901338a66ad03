"""The two seed models trained for twenty steps by each optimizer, from one set of initial weights per model.

Each case runs twice, in float32 and in float64. The float32 run is the golden; `deviation` in the case says how far the float64
run is from it (largest absolute difference), that is, how much of a difference rounding by itself makes."""
import keras
import numpy as np
import tensorflow as tf

from .archive import Archive
from .fashion import first
from .plain import plain
from .seeded import Seeded

STEPS, BATCH, STRIDE, WHOLE = 20, 32, 37, 2000


def model(name):
    layers = keras.layers
    if name == "mlp":
        return keras.Sequential([keras.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10, activation="softmax")])
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
                             layers.Flatten(), layers.Dense(10, activation="softmax")])


def optimizers():
    o = keras.optimizers
    return {"sgd": lambda: o.SGD(0.01), "sgd_momentum": lambda: o.SGD(0.01, momentum=0.9), "adam": o.Adam, "adamw": o.AdamW,
            "rmsprop": o.RMSprop}


def initial(name):
    """Glorot uniform weights and zero biases, in layer order, with their names."""
    result = {}
    for layer in model(name).layers:
        for variable in layer.trainable_variables:
            shape, role = tuple(variable.shape), "weight" if variable.name == "kernel" else variable.name
            window = int(np.prod(shape[:-2])) if len(shape) > 1 else 1
            limit = (6 / (window * sum(shape[-2:]))) ** 0.5 if role == "weight" else 0
            kind = f"{type(layer).__name__.lower()}{sum(k.endswith('.' + role) for k in result)}.{role}"
            result[kind] = Seeded(f"{name}:{kind}").uniform(*shape, low=-limit, high=limit)
    return result


def train(name, make, weights, images, labels, floatx):
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    net = model(name)
    net.set_weights(list(weights.values()))
    net.compile(optimizer=make(), loss="sparse_categorical_crossentropy")
    x = (images.astype(floatx) / np.asarray(255, floatx)).reshape(STEPS, BATCH, *net.input_shape[1:])
    losses = []
    for step in range(STEPS):
        with tf.GradientTape() as tape:
            loss = net.compute_loss(y=labels[step], y_pred=net(x[step], training=True))
        gradients = tape.gradient(loss, [v.value for v in net.trainable_variables])
        net.optimizer.apply(gradients, net.trainable_variables)
        losses.append(float(loss))
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    return np.array(losses), dict(zip(weights, net.get_weights())), plain(net.optimizer.get_config())


def largest(a, b):
    return float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max())


def archive():
    made = Archive("training")
    images, labels = first(STEPS * BATCH)
    images, labels = images.reshape(STEPS, BATCH, 28, 28), labels.reshape(STEPS, BATCH).astype(np.int32)
    made.put("images", images)
    made.put("labels", labels)
    for name in ("mlp", "cnn"):
        weights = initial(name)
        shared = {"images": "images", "labels": "labels"}
        for role, value in weights.items():
            shared[f"initial.{role}"] = made.put(f"{name}:{role}", value)
        for optimizer, make in optimizers().items():
            losses, final, config = train(name, make, weights, images, labels, "float32")
            exact_losses, exact_final, _ = train(name, make, weights, images, labels, "float64")
            tensors, sampled, sums, deviation = {"losses": losses.astype(np.float32)}, {}, {}, {"losses": largest(losses, exact_losses)}
            for role, value in final.items():
                flat = value.reshape(-1)
                whole = len(flat) <= WHOLE
                tensors[f"final.{role}"] = value if whole else flat[::STRIDE].copy()
                if not whole:
                    sampled[f"final.{role}"] = STRIDE
                double = flat.astype(np.float64)
                sums[f"final.{role}"] = {"sum": float(double.sum()), "sum_of_squares": float((double ** 2).sum())}
                deviation[f"final.{role}"] = largest(value, exact_final[role])
            given = {"model": name, "batch_size": BATCH, "optimizer": {"class_name": type(make()).__name__, "config": config},
                     "loss": "sparse_categorical_crossentropy", "input_scale": "uint8 / 255"}
            made.add(f"{name}/{optimizer}", "Training", given, tensors, parameters=list(weights), shared=shared,
                     sampled_every=sampled, sums=sums, deviation=deviation)
    return made
