"""What each initializer draws from, per shape: a description in the case's config and no tensors, as streams are the generator's.

`limit`: uniform on [−limit, limit] (or `low`, `high`). `stddev`: of the normal before truncation. `bound`: no value lies beyond it.
`expected_stddev`: of the values themselves. Each description is checked against a draw by Keras while it is made."""
import math

import keras
import numpy as np

from .archive import Archive
from .plain import plain

SHAPES = [(784, 128), (128, 10), (3, 3, 1, 32), (5408, 10)]
TRUNCATION = 0.87962566103423978  # stddev of the standard normal cut off at ±2


def fans(shape):
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def uniform(low, high):
    middle = {"limit": high} if low == -high else {"low": low, "high": high}
    return {"distribution": "uniform", "truncated": False, "mean": (low + high) / 2, "expected_stddev": (high - low) / 12 ** 0.5,
            "bound": max(-low, high)} | middle


def normal(stddev, mean=0.0):
    return {"distribution": "normal", "truncated": False, "mean": mean, "stddev": stddev, "expected_stddev": stddev}


def truncated(stddev, mean=0.0):
    return {"distribution": "truncated_normal", "truncated": True, "mean": mean, "stddev": stddev,
            "expected_stddev": stddev * TRUNCATION, "bound": abs(mean) + 2 * stddev}


def scaled(scale, mode, distribution):
    def describe(shape):
        fan_in, fan_out = fans(shape)
        variance = scale / max(1, {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode])
        if distribution == "uniform":
            return uniform(-(3 * variance) ** 0.5, (3 * variance) ** 0.5)
        return truncated(variance ** 0.5 / TRUNCATION) if distribution == "truncated_normal" else normal(variance ** 0.5)
    return describe


def constant(value):
    return lambda shape: {"distribution": "constant", "truncated": False, "mean": value, "expected_stddev": 0.0, "value": value}


def orthogonal(gain):
    def describe(shape):
        rows, columns = math.prod(shape[:-1]), shape[-1]
        return {"distribution": "orthogonal", "truncated": False, "gain": gain, "rows": rows, "columns": columns,
                "orthonormal": "columns" if rows >= columns else "rows"}
    return describe


def descriptions():
    i = keras.initializers
    yield "glorot_uniform", i.GlorotUniform(0), scaled(1, "fan_avg", "uniform")
    yield "glorot_normal", i.GlorotNormal(0), scaled(1, "fan_avg", "truncated_normal")
    yield "he_uniform", i.HeUniform(0), scaled(2, "fan_in", "uniform")
    yield "he_normal", i.HeNormal(0), scaled(2, "fan_in", "truncated_normal")
    yield "lecun_uniform", i.LecunUniform(0), scaled(1, "fan_in", "uniform")
    yield "lecun_normal", i.LecunNormal(0), scaled(1, "fan_in", "truncated_normal")
    yield "truncated_normal", i.TruncatedNormal(seed=0), lambda shape: truncated(0.05)
    yield "random_normal", i.RandomNormal(seed=0), lambda shape: normal(0.05)
    yield "random_uniform", i.RandomUniform(seed=0), lambda shape: uniform(-0.05, 0.05)
    yield "random_uniform/range", i.RandomUniform(-0.1, 0.3, seed=0), lambda shape: uniform(-0.1, 0.3)
    yield "zeros", i.Zeros(), constant(0.0)
    yield "ones", i.Ones(), constant(1.0)
    yield "constant", i.Constant(0.25), constant(0.25)
    yield "orthogonal", i.Orthogonal(seed=0), orthogonal(1.0)
    yield "orthogonal/gain", i.Orthogonal(gain=2.0, seed=0), orthogonal(2.0)
    for mode in ("fan_in", "fan_out", "fan_avg"):
        for distribution in ("truncated_normal", "untruncated_normal", "uniform"):
            yield (f"variance_scaling/{mode}/{distribution}", i.VarianceScaling(1.5, mode, distribution, seed=0),
                   scaled(1.5, mode, distribution))


def check(name, told, values):
    flat = values.reshape(-1).astype(np.float64)
    if told["distribution"] == "orthogonal":
        m = values.reshape(told["rows"], told["columns"]).astype(np.float64)
        m = m if told["orthonormal"] == "columns" else m.T
        ok = np.allclose(m.T @ m, told["gain"] ** 2 * np.eye(m.shape[1]), atol=1e-4)
    else:
        close = 5 / len(flat) ** 0.5
        ok = abs(flat.std() - told["expected_stddev"]) <= close * told["expected_stddev"] + 1e-12
        ok = ok and abs(flat.mean() - told["mean"]) <= close * told["expected_stddev"] + 1e-12
        ok = ok and np.abs(flat).max() <= told.get("bound", math.inf) * (1 + 1e-6)
    if not ok:
        raise AssertionError(f"{name}: Keras draws otherwise than described: {told}, mean {flat.mean()}, stddev {flat.std()}")


def archive():
    made = Archive("initializers")
    for name, initializer, describe in descriptions():
        for shape in SHAPES:
            told, title = describe(shape), f"{name}/{'x'.join(map(str, shape))}"
            check(title, told, np.asarray(initializer(shape)))
            made.add(title, type(initializer).__name__, {"shape": list(shape), "initializer": plain(initializer.get_config())} | told, {})
    return made
