"""Optimizers: two weights, twenty steps with given gradients. `w0`, `w1` at the start, `g0[step]`, `g1[step]`, `w0_after1`, …"""
import keras
import numpy as np

from .archive import Archive
from .plain import plain
from .seeded import Seeded

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
    schedule = keras.optimizers.schedules
    yield "sgd/cosine_decay", o.SGD(schedule.CosineDecay(0.1, 10, warmup_target=0.3, warmup_steps=5))
    yield "adam/exponential_decay", o.Adam(schedule.ExponentialDecay(0.1, 5, 0.5, staircase=True))


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
        weights = [keras.Variable(made.tensors[f"w{i}"], name=f"w{i}") for i in range(len(SHAPES))]
        tensors = {}
        for step in range(STEPS):
            gradients = [keras.ops.convert_to_tensor(made.tensors[f"g{i}"][step]) for i in range(len(SHAPES))]
            optimizer.apply(gradients, weights)
            if step + 1 in REPORTED:
                tensors |= {f"w{i}_after{step + 1}": np.array(w) for i, w in enumerate(weights)}
        made.add(name, type(optimizer).__name__, plain(optimizer.get_config()), tensors, shared=shared)
    return made
