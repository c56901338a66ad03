"""Masks, thresholds and weights of TensorFlow's model optimization toolkit, step by step, and its schedules' numbers.

Needs packages of its own, since the toolkit lives on the old Keras: requirements-pruning.txt."""
import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import prune, pruning_callbacks, pruning_impl, pruning_schedule
from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import PruneLowMagnitude

from .archive import Archive
from .seeded import Seeded

EPOCHS, STEPS, BATCH = 2, 7, 8


def schedules():
    constant, polynomial = pruning_schedule.ConstantSparsity, pruning_schedule.PolynomialDecay
    return {
        "constant": constant(0.5, begin_step=0, frequency=3),
        "constant/window": constant(0.7, begin_step=4, end_step=8, frequency=2),
        "polynomial": polynomial(0.5, 0.9, begin_step=2, end_step=12, frequency=2),
        "polynomial/linear": polynomial(0.2, 0.6, begin_step=0, end_step=10, power=1, frequency=1),
    }


def model():
    layers = tf_keras.layers
    return tf_keras.Sequential([
        layers.Input((6, 6, 2)), layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(),
        layers.DepthwiseConv2D(2), layers.Flatten(), layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")])


def initial():
    """Weights in the order of Keras' `get_weights`, the moving statistics included."""
    numbers = Seeded("pruning")
    result = []
    for layer in model().layers:
        for variable in layer.weights:
            shape, name = tuple(variable.shape), variable.name.split("/")[-1].split(":")[0]
            if "kernel" in name:
                result.append((name, numbers.uniform(*shape, low=-0.5, high=0.5)))
            else:
                result.append((name, np.ones(shape, np.float32) if name in ("gamma", "moving_variance") else np.zeros(shape, np.float32)))
    return result


class Record(tf_keras.callbacks.Callback):
    """What every pruned layer holds after each step."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def pruned(self):
        return [entry for layer in self.model.layers if isinstance(layer, PruneLowMagnitude) for entry in layer.pruning_vars]

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append([[value.numpy() for value in entry] for entry in self.pruned()])


def run(schedule, values, x, y):
    net = model()
    net.set_weights([value for _, value in values])
    net = prune.prune_low_magnitude(net, pruning_schedule=schedule)
    net.compile(optimizer=tf_keras.optimizers.SGD(0.2, momentum=0.9), loss="sparse_categorical_crossentropy")
    record = Record()
    net.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0,
            callbacks=[pruning_callbacks.UpdatePruningStep(), record])
    final = prune.strip_pruning(net).get_weights()
    return record.steps, final


def mask(weights, sparsity, block=(1, 1), pooling="AVG", m_by_n=None):
    variable = tf.Variable(weights)
    schedule = pruning_schedule.ConstantSparsity(sparsity, 0)
    pruning = pruning_impl.Pruning(lambda: tf.constant(0, tf.int64), [(variable, None, None)], schedule, block, pooling, m_by_n)
    threshold, result = pruning._maybe_update_block_mask(variable)
    return result.numpy(), np.float32(threshold)


def archive():
    made = Archive("pruning")
    values = initial()
    numbers = Seeded("pruning data")
    x = numbers.uniform(STEPS * BATCH, 6, 6, 2, low=-1, high=1)
    y = (np.abs(x[:, 0, 0, 0] * 30).astype(np.int32)) % 3
    made.put("x", x)
    made.put("y", y)
    for index, (name, value) in enumerate(values):
        made.put(f"initial:{index}", value)
    shared = {"x": "x", "y": "y", **{f"initial.{index}": f"initial:{index}" for index in range(len(values))}}
    for name, schedule in schedules().items():
        steps, final = run(schedule, values, x, y)
        count = len(steps[0])
        tensors = {}
        for index in range(count):
            tensors[f"weights.{index}"] = np.stack([step[index][0] for step in steps])
            tensors[f"masks.{index}"] = np.stack([step[index][1] for step in steps]).astype(bool)
            tensors[f"thresholds.{index}"] = np.array([step[index][2] for step in steps], np.float32)
        tensors.update({f"final.{index}": value for index, value in enumerate(final)})
        far = [*range(0, 16), 99, 100, 1000]
        tensors["schedule.steps"] = np.array(far, np.int32)
        tensors["schedule.fires"] = np.array([bool(schedule(tf.constant(step, tf.int64))[0]) for step in far])
        tensors["schedule.sparsity"] = np.array([float(schedule(tf.constant(step, tf.int64))[1]) for step in far], np.float32)
        made.add(f"run/{name}", "PruningRun", schedule.get_config(), tensors, shared=shared, pruned=count,
                 optimizer={"name": "sgd", "learning_rate": 0.2, "momentum": 0.9}, epochs=EPOCHS, steps=STEPS, batch=BATCH)
    masks(made)
    return made


def masks(made):
    numbers = Seeded("pruning masks")

    def add(name, weights, **settings):
        result, threshold = mask(weights, **settings)
        given = {"sparsity": settings["sparsity"], "block": list(settings.get("block", (1, 1))), "pooling": settings.get("pooling", "AVG"),
                 "m_by_n": list(settings.get("m_by_n") or [])}
        made.add(f"mask/{name}", "PruningMask", given, {"weights": weights, "mask": result.astype(bool), "threshold": np.array(threshold)})

    def uniform(*shape):
        return numbers.uniform(*shape, low=-1, high=1)

    for sparsity in (0.0, 0.3, 0.5, 0.75, 0.99):
        add(f"plain/{sparsity}", uniform(9, 7), sparsity=sparsity)
    # Halves: 5 · 0.5 = 2.5 and 7 · 0.5 = 3.5 go to even numbers.
    add("half/5", uniform(5, 1), sparsity=0.5)
    add("half/7", uniform(7, 1), sparsity=0.5)
    # Ties are kept, more than asked for.
    add("ties/steps", np.round(uniform(8, 8) * 2).astype(np.float32) / 2, sparsity=0.6)
    add("ties/equal", np.full((4, 6), -0.25, np.float32), sparsity=0.9)
    add("ties/zeros", np.where(np.abs(uniform(6, 6)) < 0.7, 0, uniform(6, 6)).astype(np.float32), sparsity=0.5)
    for pooling in ("AVG", "MAX"):
        add(f"block/2x2/{pooling}", uniform(8, 6), sparsity=0.5, block=(2, 2), pooling=pooling)
        add(f"block/1x4/{pooling}", uniform(8, 8), sparsity=0.75, block=(1, 4), pooling=pooling)
        add(f"block/cut/{pooling}", uniform(7, 8), sparsity=0.5, block=(2, 3), pooling=pooling)
        add(f"block/wide/{pooling}", uniform(9, 10), sparsity=0.4, block=(4, 4), pooling=pooling)
    add("m_by_n/dense", uniform(8, 5), sparsity=0.5, m_by_n=(2, 4))
    add("m_by_n/conv", uniform(3, 2, 8, 4), sparsity=0.5, m_by_n=(2, 4))
    add("m_by_n/ties", np.round(uniform(16, 6) * 2).astype(np.float32) / 2, sparsity=0.5, m_by_n=(2, 4))
    add("m_by_n/1of2", uniform(6, 4), sparsity=0.5, m_by_n=(1, 2))
    add("m_by_n/3of8", np.round(uniform(16, 3) * 4).astype(np.float32) / 4, sparsity=0.375, m_by_n=(3, 8))
