"""stablehlo.gather, scatter, dynamic_slice, dynamic_update_slice. index_vector_dim is the last dimension of the indices.
Gather and the dynamic slices clamp starts so that the slice fits; scatter leaves out any update that does not fit as a whole."""
import numpy as np
from jax import lax

from ..seeded import Seeded
from .compiled import record

GATHER = {
    "rows": ((6, 4), np.int32([[0], [5], [2], [2]]), (1,), (0,), (0,), (), (), (1, 4)),
    "rows/outside": ((6, 4), np.int32([[-1], [6], [100], [3]]), (1,), (0,), (0,), (), (), (1, 4)),
    "elements": ((4, 5), np.int32([[0, 0], [3, 4], [2, 1]]), (), (0, 1), (0, 1), (), (), (1, 1)),
    "windows": ((6, 7), np.int32([[0, 0], [2, 3], [4, 5]]), (1, 2), (), (0, 1), (), (), (2, 3)),
    "windows/outside": ((6, 7), np.int32([[5, 6], [-2, 3]]), (1, 2), (), (0, 1), (), (), (2, 3)),
    "start_index_map_swapped": ((4, 5), np.int32([[4, 1], [0, 3]]), (), (0, 1), (1, 0), (), (), (1, 1)),
    "columns": ((3, 6), np.int32([[1], [4]]), (0,), (1,), (1,), (), (), (3, 1)),
    "offset_between_batches": ((5, 4), np.int32([[[0], [1], [4]], [[2], [2], [3]]]), (1,), (0,), (0,), (), (), (1, 4)),
    "batching": ((3, 5, 2), np.int32([[[0], [4]], [[1], [1]], [[3], [2]]]), (2,), (1,), (1,), (0,), (0,), (1, 1, 2)),
}

SCATTER = {
    "rows": ((6, 3), np.int32([[0], [5], [2]]), (3, 3), (1,), (0,), (0,), (), ()),
    "rows/repeated": ((6, 3), np.int32([[1], [1], [4], [1]]), (4, 3), (1,), (0,), (0,), (), ()),
    "rows/outside": ((6, 3), np.int32([[-1], [6], [3]]), (3, 3), (1,), (0,), (0,), (), ()),
    "elements": ((4, 5), np.int32([[0, 0], [3, 4], [2, 1]]), (3,), (), (0, 1), (0, 1), (), ()),
    "windows": ((6, 7), np.int32([[0, 0], [3, 4]]), (2, 2, 3), (1, 2), (), (0, 1), (), ()),
    "windows/outside": ((6, 7), np.int32([[5, 0], [0, 5], [4, 4]]), (3, 2, 3), (1, 2), (), (0, 1), (), ()),
    "swapped": ((4, 5), np.int32([[4, 1], [0, 3]]), (2,), (), (0, 1), (1, 0), (), ()),
    "batching": ((3, 5, 2), np.int32([[[0], [4]], [[1], [2]], [[3], [2]]]), (3, 2, 2), (2,), (1,), (1,), (0,), (0,)),
}


def add(made):
    for name, (shape, indices, offset, collapsed, start, batching, index_batching, sizes) in GATHER.items():
        numbers = lax.GatherDimensionNumbers(offset, collapsed, start, batching, index_batching)
        config = {"offset_dims": offset, "collapsed_slice_dims": collapsed, "start_index_map": start, "operand_batching_dims": batching,
                  "start_indices_batching_dims": index_batching, "slice_sizes": sizes, "index_vector_dim": indices.ndim - 1}
        record(made, f"gather/{name}", "gather", config,
               lambda x, i: lax.gather(x, i, numbers, sizes, mode="clip"), Seeded(f"gather/{name}").normal(*shape), indices)
    kinds = {"add": lax.scatter_add, "set": lax.scatter, "multiply": lax.scatter_mul, "maximum": lax.scatter_max, "minimum": lax.scatter_min}
    for name, (shape, indices, updates, window, inserted, to_operand, batching, index_batching) in SCATTER.items():
        numbers = lax.ScatterDimensionNumbers(window, inserted, to_operand, batching, index_batching)
        config = {"update_window_dims": window, "inserted_window_dims": inserted, "scatter_dims_to_operand_dims": to_operand,
                  "input_batching_dims": batching, "scatter_indices_batching_dims": index_batching, "index_vector_dim": indices.ndim - 1}
        for kind, scatter in kinds.items():
            if kind == "set" and name == "rows/repeated":
                continue  # which of the repeated updates stays is not defined
            record(made, f"scatter/{name}/{kind}", "scatter", config | {"update_computation": kind},
                   lambda x, i, u: scatter(x, i, u, numbers, mode="drop"),
                   Seeded(f"scatter/{name}").normal(*shape), indices, Seeded(f"updates/{name}").normal(*updates))
    x, update = Seeded("dynamic").normal(5, 6), Seeded("dynamic/update").normal(2, 3)
    for name, start in (("inside", (1, 2)), ("beyond", (4, 9)), ("negative", (-3, 1))):
        config = {"start_indices": start}
        record(made, f"dynamic_slice/{name}", "dynamic_slice", config | {"slice_sizes": (2, 3)},
               lambda x, i, j: lax.dynamic_slice_p.bind(x, i, j, slice_sizes=(2, 3)), x, *map(np.int32, start))
        record(made, f"dynamic_update_slice/{name}", "dynamic_update_slice", config,
               lambda x, u, i, j: lax.dynamic_update_slice_p.bind(x, u, i, j), x, update, *map(np.int32, start))
