"""Sorting, running sums, arg-extremes and reductions. Sorts are stable; −0 equals 0 and NaN sorts last."""
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..seeded import Seeded
from .compiled import record

SPECIAL = np.float32([3, np.nan, -0.0, 0.0, -np.inf, 1, np.inf, -2, np.nan, 0.0, -0.0, 1])


def add(made):
    x = Seeded("sort").normal(4, 7)
    for dimension in (0, 1):
        record(made, f"sort/dimension{dimension}", "sort", {"dimension": dimension, "is_stable": True},
               lambda x: lax.sort(x, dimension=dimension, is_stable=True), x)
    record(made, "sort/special", "sort", {"dimension": 0, "is_stable": True}, lambda x: lax.sort(x, is_stable=True), SPECIAL)
    record(made, "sort/integers", "sort", {"dimension": 0, "is_stable": True}, lambda x: lax.sort(x, is_stable=True),
           np.int32([3, -1, 2 ** 31 - 1, -2 ** 31, 0, 3]))
    keys, values = Seeded("sort/keys").integers(9, high=4), np.arange(9, dtype=np.int32)
    record(made, "sort/key_value", "sort", {"dimension": 0, "is_stable": True, "num_keys": 1},
           lambda k, v: lax.sort((k, v), is_stable=True, num_keys=1), keys, values)
    record(made, "sort/two_keys", "sort", {"dimension": 0, "is_stable": True, "num_keys": 2},
           lambda k, l, v: lax.sort((k, l, v), is_stable=True, num_keys=2), keys, Seeded("sort/second").integers(9, high=3), values)
    record(made, "sort/special/indices", "sort", {"dimension": 0, "is_stable": True, "num_keys": 1},
           lambda k, v: lax.sort((k, v), is_stable=True, num_keys=1), SPECIAL, np.arange(len(SPECIAL), dtype=np.int32))
    record(made, "top_k", "top_k", {"k": 3}, lambda x: lax.top_k(x, 3), x)
    record(made, "top_k/ties", "top_k", {"k": 3}, lambda x: lax.top_k(x, 3), np.float32([[1, 2, 2, 1, 2, 2], [0, 0, 0, 0, 0, 1]]))
    for kind, function in (("cumsum", lax.cumsum), ("cumprod", lax.cumprod), ("cummax", lax.cummax), ("cummin", lax.cummin)):
        for axis in (0, 1):
            for reverse in (False, True):
                record(made, f"{kind}/axis{axis}{'/reverse' if reverse else ''}", kind, {"axis": axis, "reverse": reverse},
                       lambda x: function(x, axis=axis, reverse=reverse), x)
    edges = np.float32([[1, 3, 3, 2], [np.nan, 1, np.nan, 9], [-np.inf, -np.inf, -np.inf, -np.inf], [-0.0, 0.0, 0.0, -0.0]])
    for kind, function in (("argmax", lax.argmax), ("argmin", lax.argmin)):
        for axis in (0, 1):
            record(made, f"{kind}/axis{axis}", kind, {"axis": axis}, lambda x: function(x, axis, jnp.int32), x)
            record(made, f"{kind}/axis{axis}/edges", kind, {"axis": axis}, lambda x: function(x, axis, jnp.int32), edges)
    cube = Seeded("reduce").normal(3, 4, 5)
    for kind, function in (("add", jnp.sum), ("maximum", jnp.max), ("minimum", jnp.min), ("multiply", jnp.prod)):
        for axes in ((0,), (1,), (0, 2), (0, 1, 2)):
            record(made, f"reduce/{kind}/{''.join(map(str, axes))}", "reduce", {"computation": kind, "dimensions": axes},
                   lambda x: function(x, axis=axes), cube)
    record(made, "reduce/maximum/nan", "reduce", {"computation": "maximum", "dimensions": (1,)}, lambda x: jnp.max(x, axis=1), edges)
    record(made, "reduce/minimum/nan", "reduce", {"computation": "minimum", "dimensions": (1,)}, lambda x: jnp.min(x, axis=1), edges)
