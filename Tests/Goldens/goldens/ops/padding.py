"""stablehlo.pad (interior padding first, then the edges, which may be cut), slice, reverse, transpose, broadcast_in_dim."""
import numpy as np
from jax import lax

from ..seeded import Seeded
from .compiled import record

PAD = {
    "edges": ((3, 4), [(1, 2, 0), (0, 3, 0)]),
    "interior": ((3, 4), [(0, 0, 1), (0, 0, 2)]),
    "negative": ((5, 6), [(-1, -2, 0), (-3, 1, 0)]),
    "everything": ((3, 4), [(-1, 2, 2), (1, -2, 1)]),
    "negative_cuts_interior": ((3,), [(-2, -1, 2)]),
    "to_nothing": ((3,), [(-1, -2, 0)]),
    "one_element_interior": ((1, 2), [(1, 0, 3), (0, 0, 0)]),
}


def add(made):
    for name, (shape, edges) in PAD.items():
        low, high, interior = zip(*edges)
        record(made, f"pad/{name}", "pad", {"edge_padding_low": low, "edge_padding_high": high, "interior_padding": interior},
               lambda x, v: lax.pad(x, v, edges), Seeded(f"pad/{name}").normal(*shape), np.float32(-7))
    x = Seeded("slice").normal(7, 8)
    record(made, "slice/strides", "slice", {"start_indices": (1, 2), "limit_indices": (7, 8), "strides": (3, 2)},
           lambda x: lax.slice(x, (1, 2), (7, 8), (3, 2)), x)
    record(made, "reverse", "reverse", {"dimensions": (0, 2)}, lambda x: lax.rev(x, (0, 2)), Seeded("reverse").normal(3, 2, 4))
    record(made, "transpose", "transpose", {"permutation": (2, 0, 1)}, lambda x: lax.transpose(x, (2, 0, 1)), Seeded("transpose").normal(2, 3, 4))
    record(made, "broadcast_in_dim", "broadcast_in_dim", {"shape": (2, 3, 4), "broadcast_dimensions": (0, 2)},
           lambda x: lax.broadcast_in_dim(x, (2, 3, 4), (0, 2)), Seeded("broadcast").normal(2, 1))
