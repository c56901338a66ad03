"""Elementwise operations at ordinary and edge values (NaN, infinities, −0, halves, extremes). No denormals, in or out: they may be flushed to 0.
The config's `domain` says which values: "edges" or, for pairs, every pair of "edge_pairs"."""
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..seeded import Seeded
from .compiled import record

INF, NAN = np.inf, np.nan
EDGES = np.float32([0.0, -0.0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2.5, -2.5, 3.5, 0.49999997, -0.49999997, 8388609, -8388607.5, 1e-3, -1e-3, 1e-10,
                    3.1415927, -7.25, 20, -20, 87, -87, 100, -104, 3.4e38, -3.4e38, 1e-30, INF, -INF, NAN])
PAIRS = np.float32([0.0, -0.0, 1, -1, 2, -2, 0.5, -3.5, 5.25, 1e30, -1e30, INF, -INF, NAN])
INTEGERS = np.int32([0, 1, -1, 2, -2, 7, -7, 31, 32, 33, 100, 2 ** 31 - 1, -2 ** 31])

UNARY = {"abs": lax.abs, "negate": lax.neg, "sign": lax.sign, "ceil": lax.ceil, "floor": lax.floor,
         "round_nearest_even": lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN),
         "round_nearest_afz": lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO), "exponential": lax.exp,
         "exponential_minus_one": lax.expm1, "log": lax.log, "log_plus_one": lax.log1p, "sqrt": lax.sqrt, "rsqrt": lax.rsqrt,
         "cbrt": lax.cbrt, "sine": lax.sin, "cosine": lax.cos, "tan": lax.tan, "tanh": lax.tanh, "logistic": lax.logistic,
         "is_finite": lax.is_finite, "erf": lax.erf, "erf_inv": lax.erf_inv}
BINARY = {"add": lax.add, "subtract": lax.sub, "multiply": lax.mul, "divide": lax.div, "remainder": lax.rem, "atan2": lax.atan2,
          "power": lax.pow, "maximum": lax.max, "minimum": lax.min}
COMPARE = {"EQ": lax.eq, "NE": lax.ne, "LT": lax.lt, "LE": lax.le, "GT": lax.gt, "GE": lax.ge}
INTEGER_UNARY = {"abs": lax.abs, "negate": lax.neg, "sign": lax.sign, "not": lax.bitwise_not, "popcnt": lax.population_count,
                 "count_leading_zeros": lax.clz}
INTEGER_BINARY = {"add": lax.add, "subtract": lax.sub, "multiply": lax.mul, "divide": lax.div, "remainder": lax.rem, "maximum": lax.max,
                  "minimum": lax.min, "and": lax.bitwise_and, "or": lax.bitwise_or, "xor": lax.bitwise_xor, "shift_left": lax.shift_left,
                  "shift_right_arithmetic": lax.shift_right_arithmetic, "shift_right_logical": lax.shift_right_logical}


def every_pair(values):
    a, b = np.meshgrid(values, values, indexing="ij")
    return a.reshape(-1).copy(), b.reshape(-1).copy()


def add(made):
    ordinary = Seeded("elementwise").normal(40, scale=2.0)
    for kind, function in UNARY.items():
        x = np.clip(ordinary, -0.99, 0.99) if kind == "erf_inv" else np.abs(ordinary) if kind in ("log", "sqrt", "rsqrt") else ordinary
        record(made, f"{kind}/f32", kind, {"domain": "ordinary"}, function, x)
        if kind in ("sine", "cosine", "tan"):
            record(made, f"{kind}/f32/edges", kind, {"domain": "edges"}, function, EDGES[np.abs(np.nan_to_num(EDGES, nan=0, posinf=0)) < 1000])
        else:
            record(made, f"{kind}/f32/edges", kind, {"domain": "edges"}, function, EDGES)
    pairs, integer_pairs = every_pair(PAIRS), every_pair(INTEGERS)
    for kind, function in BINARY.items():
        record(made, f"{kind}/f32/edge_pairs", kind, {"domain": "edge_pairs"}, function, *pairs)
    for direction, function in COMPARE.items():
        record(made, f"compare/{direction}/f32/edge_pairs", "compare", {"comparison_direction": direction, "domain": "edge_pairs"}, function, *pairs)
        record(made, f"compare/{direction}/i32/edge_pairs", "compare", {"comparison_direction": direction, "domain": "edge_pairs"}, function,
               *integer_pairs)
    for kind, function in INTEGER_UNARY.items():
        record(made, f"{kind}/i32/edges", kind, {"domain": "edges"}, function, INTEGERS)
    for kind, function in INTEGER_BINARY.items():
        record(made, f"{kind}/i32/edge_pairs", kind, {"domain": "edge_pairs"}, function, *integer_pairs)
        if kind != "shift_right_arithmetic":
            unsigned = tuple(p.view(np.uint32) for p in integer_pairs)
            record(made, f"{kind}/u32/edge_pairs", kind, {"domain": "edge_pairs"}, function, *unsigned)
    record(made, "clamp", "clamp", {"order": "min, operand, max"}, lax.clamp, np.float32(-1), EDGES, np.float32(2))
    record(made, "clamp/nan_bound", "clamp", {"order": "min, operand, max"}, lax.clamp, np.float32(NAN), EDGES, np.float32(2))
    record(made, "select", "select", {}, lax.select, EDGES > 0, EDGES, -EDGES)
