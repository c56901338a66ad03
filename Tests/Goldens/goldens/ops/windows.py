"""stablehlo.reduce_window and select_and_scatter. On ties with "ge" the first element in row-major order is selected."""
import numpy as np
from jax import lax
from jax._src.lax.windowed_reductions import _select_and_scatter_add

from ..seeded import Seeded
from .compiled import record

CASES = {
    "plain": ((1, 6, 6, 2), (1, 2, 2, 1), (1, 2, 2, 1), dict()),
    "overlapping": ((5, 6), (3, 3), (1, 2), dict()),
    "padding": ((5, 6), (3, 2), (2, 2), dict(padding=((1, 1), (0, 1)))),
    "window_dilation": ((7, 8), (2, 3), (1, 1), dict(window_dilation=(3, 2))),
    "base_dilation": ((4, 3), (3, 2), (2, 1), dict(base_dilation=(2, 3), padding=((1, 0), (0, 0)))),
    "everything": ((6, 5), (2, 3), (2, 1), dict(base_dilation=(1, 2), window_dilation=(2, 1), padding=((2, 1), (-1, 2)))),
}

COMPUTATIONS = {"add": (lax.add, 0.0), "maximum": (lax.max, -np.inf), "minimum": (lax.min, np.inf), "multiply": (lax.mul, 1.0)}


def add(made):
    for name, (shape, window, strides, options) in CASES.items():
        ones = (1,) * len(shape)
        full = dict(padding=((0, 0),) * len(shape), base_dilation=ones, window_dilation=ones) | options
        for kind, (computation, start) in COMPUTATIONS.items():
            record(made, f"reduce_window/{name}/{kind}", "reduce_window",
                   {"window_dimensions": window, "window_strides": strides, "computation": kind} | full,
                   lambda x, v: lax.reduce_window(x, v, computation, window, strides, **full),
                   Seeded(f"reduce_window/{name}").normal(*shape), np.float32(start))
    record(made, "reduce_window/initial_value_counts_once_per_window", "reduce_window",
           {"window_dimensions": (2,), "window_strides": (2,), "computation": "add", "padding": ((0, 0),), "base_dilation": (1,),
            "window_dilation": (1,)}, lambda x, v: lax.reduce_window(x, v, lax.add, (2,), (2,), "VALID"), np.float32([1, 2, 3, 4]), np.float32(10))
    ties = np.round(Seeded("select/ties").normal(6, 6))
    for name, operand, window, strides, padding in (
            ("plain", Seeded("select").normal(6, 6), (2, 2), (2, 2), ((0, 0), (0, 0))),
            ("ties", ties, (2, 2), (2, 2), ((0, 0), (0, 0))),
            ("overlapping", Seeded("select/overlap").normal(7, 6), (3, 3), (2, 1), ((0, 0), (0, 0))),
            ("padding", Seeded("select/padding").normal(5, 6), (3, 3), (2, 2), ((1, 1), (1, 0))),
            ("image", Seeded("select/image").normal(2, 4, 5, 3), (1, 2, 2, 1), (1, 2, 2, 1), ((0, 0),) * 4)):
        shape = np.asarray(lax.reduce_window(operand, -np.inf, lax.max, window, strides, padding)).shape
        for select, primitive in (("ge", lax.ge_p), ("le", lax.le_p)):
            record(made, f"select_and_scatter/{name}/{select}", "select_and_scatter",
                   {"select": select, "scatter": "add", "init_value": 0, "window_dimensions": window, "window_strides": strides,
                    "padding": padding},
                   lambda x, s: _select_and_scatter_add(s, x, primitive, window, strides, padding), operand, Seeded(f"source/{name}").normal(*shape))
