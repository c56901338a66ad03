"""Optimizers: two weights, twenty steps with given gradients. `w0`, `w1` at the start, `g0[step]`, `g1[step]`, `w0_after1`, …"""
import os
import subprocess
import sys
import tempfile

import keras
import numpy as np
from safetensors.numpy import load_file

from .archive import Archive
from .plain import plain
from .seeded import Seeded

# With another backend, this module is run once more for one case.
ONLY = os.environ.get("GOLDEN_CASE")
STEPS, SHAPES, REPORTED = 20, ((3, 4), (5,)), (1, 2, 20)


def cases():
    o = keras.optimizers
    yield "sgd", o.SGD()
    yield "sgd/momentum", o.SGD(momentum=0.9)
    yield "sgd/nesterov", o.SGD(momentum=0.9, nesterov=True)
    yield "sgd/weight_decay", o.SGD(0.1, weight_decay=0.01)
    yield "sgd/momentum/weight_decay", o.SGD(0.1, momentum=0.9, weight_decay=0.01)
    yield "adam", o.Adam()
    yield "adam/options", o.Adam(0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-3)
    yield "adam/amsgrad", o.Adam(amsgrad=True)
    yield "adam/weight_decay", o.Adam(0.01, weight_decay=0.1)
    yield "adamw", o.AdamW()
    yield "adamw/options", o.AdamW(0.01, weight_decay=0.1)
    yield "adamw/clipnorm", o.AdamW(0.01, clipnorm=1.0)
    yield "rmsprop", o.RMSprop()
    yield "rmsprop/momentum", o.RMSprop(momentum=0.9)
    yield "rmsprop/centered", o.RMSprop(centered=True)
    yield "rmsprop/centered/momentum", o.RMSprop(0.01, rho=0.8, momentum=0.5, epsilon=1e-4, centered=True)
    for name, make in (("sgd", lambda **k: o.SGD(0.1, **k)), ("sgd/momentum", lambda **k: o.SGD(0.1, momentum=0.9, **k)),
                       ("adam", lambda **k: o.Adam(0.01, **k))):
        yield f"{name}/clipnorm", make(clipnorm=1.0)
        yield f"{name}/clipvalue", make(clipvalue=0.5)
        yield f"{name}/global_clipnorm", make(global_clipnorm=1.5)
    yield "adagrad", o.Adagrad(0.05)
    yield "adagrad/options", o.Adagrad(0.1, initial_accumulator_value=0.5, epsilon=1e-3, weight_decay=0.01)
    yield "adadelta", o.Adadelta(1.0)
    yield "adadelta/options", o.Adadelta(0.5, rho=0.8, epsilon=1e-3, weight_decay=0.01)
    yield "adamax", o.Adamax(0.01)
    yield "adamax/options", o.Adamax(0.02, beta_1=0.8, beta_2=0.9, weight_decay=0.1)
    yield "nadam", o.Nadam(0.01)
    yield "nadam/options", o.Nadam(0.02, beta_1=0.8, beta_2=0.9, epsilon=1e-3, weight_decay=0.1)
    yield "lion", o.Lion(0.01)
    yield "lion/options", o.Lion(0.02, beta_1=0.8, beta_2=0.9, weight_decay=0.1)
    yield "lamb", o.Lamb(0.01)
    yield "lamb/options", o.Lamb(0.02, beta_1=0.8, beta_2=0.9, epsilon=1e-3, weight_decay=0.1)
    yield "ftrl", o.Ftrl(0.05)
    yield "ftrl/options", o.Ftrl(0.1, learning_rate_power=-0.7, initial_accumulator_value=0.2, l1_regularization_strength=0.05,
                                 l2_regularization_strength=0.02, l2_shrinkage_regularization_strength=0.01, beta=0.3)
    yield "schedule_free_adamw", o.ScheduleFreeAdamW(0.01)
    yield "schedule_free_adamw/options", o.ScheduleFreeAdamW(0.02, beta_1=0.8, beta_2=0.9, warmup_steps=5, weight_decay=0.1)
    yield "adafactor", o.Adafactor(0.05)
    yield "adafactor/options", o.Adafactor(0.5, beta_2_decay=-0.6, epsilon_2=1e-2, clip_threshold=0.5, weight_decay=0.1)
    yield "muon", o.Muon(0.01)
    yield "muon/options", o.Muon(0.02, momentum=0.8, nesterov=False, ns_steps=3, rms_rate=0.3, adam_lr_ratio=0.5, weight_decay=0.1,
                                 adam_weight_decay=0.2, clipnorm=1.0)
    schedule = keras.optimizers.schedules
    yield "sgd/cosine_decay", o.SGD(schedule.CosineDecay(0.1, 10, warmup_target=0.3, warmup_steps=5))
    yield "adam/exponential_decay", o.Adam(schedule.ExponentialDecay(0.1, 5, 0.5, staircase=True))


def on_jax(name):
    """The weights of one case as Keras computes them on JAX."""
    with tempfile.TemporaryDirectory() as folder:
        code = f"from goldens.optimizers import archive; archive().save({folder!r})"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                       env=os.environ | {"KERAS_BACKEND": "jax", "GOLDEN_CASE": name})
        stored = load_file(os.path.join(folder, "optimizers.safetensors"))
    return {key.removeprefix(f"{name}:"): value for key, value in stored.items() if key.startswith(f"{name}:")}


def archive():
    made = Archive("optimizers")
    for i, shape in enumerate(SHAPES):
        made.put(f"w{i}", Seeded(f"optimizers/w{i}").normal(*shape))
        gradients = Seeded(f"optimizers/g{i}").normal(STEPS, *shape)
        gradients *= np.linspace(0.1, 3, STEPS, dtype=np.float32).reshape(-1, *[1] * len(shape))
        gradients[6] = 0
        made.put(f"g{i}", gradients)
    shared = {name: name for name in list(made.tensors)}
    for name, optimizer in cases():
        if name.startswith("schedule_free") and keras.backend.backend() == "tensorflow":
            # On TensorFlow, Keras 3.15 reads the mean's new value where its formula has the old one.
            made.add(name, type(optimizer).__name__, plain(optimizer.get_config()), on_jax(name), shared=shared)
            continue
        weights = [keras.Variable(made.tensors[f"w{i}"], name=f"w{i}") for i in range(len(SHAPES))]
        tensors = {}
        if ONLY and name != ONLY:
            continue
        for step in range(STEPS):
            gradients = [keras.ops.convert_to_tensor(made.tensors[f"g{i}"][step]) for i in range(len(SHAPES))]
            optimizer.apply(gradients, weights)
            if step + 1 in REPORTED:
                tensors |= {f"w{i}_after{step + 1}": np.array(w) for i, w in enumerate(weights)}
        made.add(name, type(optimizer).__name__, plain(optimizer.get_config()), tensors, shared=shared)
    return made
