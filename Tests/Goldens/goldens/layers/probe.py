"""Runs one Keras layer with random parameters and records outputs and gradients."""
import keras
import numpy as np
import tensorflow as tf

from ..plain import plain
from ..seeded import Seeded

POSITIVE = {"moving_variance"}


def role_of(variable, layer):
    path = variable.path.split("/")
    inside = path[path.index(layer.name) + 1:] if layer.name in path else path[-1:]
    role = "/".join(inside)
    return "weight" if role == "kernel" else role


def randomise(layer, name):
    for variable in layer.variables:
        if "seed_generator" in variable.path:
            continue
        role, draw = role_of(variable, layer), Seeded(f"{name}:{role_of(variable, layer)}")
        if role in POSITIVE:
            value = draw.uniform(*variable.shape, low=0.5, high=2.0)
        elif role == "gamma":
            value = draw.normal(*variable.shape, scale=0.3, shift=1.0)
        elif role in ("weight", "embeddings") or role.endswith("kernel"):
            fan_in = max(1, int(np.prod(variable.shape[:-1])))
            value = draw.normal(*variable.shape, scale=max(0.3, fan_in ** -0.5))
        else:
            value = draw.normal(*variable.shape, scale=0.5)
        variable.assign(value)


def probe(made, name, layer, *inputs, config=None, kind=None, call=None, training=False):
    """Adds one case. `call`: layer, tensors → output, for layers that take their inputs otherwise than as one or a list."""
    tensors = [tf.constant(i) for i in inputs]
    call = call or (lambda l, t: l(t[0] if len(t) == 1 else t))
    call(layer, tensors)  # builds
    randomise(layer, name)
    variables = [v for v in layer.variables if "seed_generator" not in v.path]
    roles = {v.path: role_of(v, layer) for v in variables}
    before = {roles[v.path]: np.array(v) for v in variables}
    smooth = [t for t in tensors if t.dtype.is_floating]
    with tf.GradientTape(persistent=True) as tape:
        for t in smooth:
            tape.watch(t)
        y = call(layer, tensors)
        dy = tf.constant(Seeded(f"{name}:dy").normal(*y.shape))
        scalar = tf.reduce_sum(y * dy)
    names = ["x"] if len(inputs) == 1 else [f"x{i}" for i in range(len(inputs))]
    stored = dict(zip(names, inputs)) | before | {"y": y.numpy(), "dy": dy.numpy()}
    for n, t in zip(names, tensors):
        if t.dtype.is_floating:
            stored[f"d{n}"] = tape.gradient(scalar, t).numpy()
    for v in layer.trainable_variables:
        stored[f"d_{roles[v.path]}"] = tf.convert_to_tensor(tape.gradient(scalar, v.value)).numpy()
    for v in layer.non_trainable_variables:
        if training and v.path in roles:
            stored[f"updated_{roles[v.path]}"] = np.array(v)
    given = plain(layer.get_config()) if config is None else config
    if training:
        given = given | {"training": True}
    made.add(name, kind or type(layer).__name__, given, stored, parameters=list(before))
