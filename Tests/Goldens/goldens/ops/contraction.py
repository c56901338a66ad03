"""stablehlo.dot_general. The result's dimensions: batch, then the left's free ones, then the right's."""
from jax import lax

from ..seeded import Seeded
from .compiled import record

CASES = {
    "matrix": ((3, 4), (4, 5), (1,), (0,), (), ()),
    "transposed_left": ((4, 3), (4, 5), (0,), (0,), (), ()),
    "transposed_both": ((4, 3), (5, 4), (0,), (1,), (), ()),
    "vector": ((4,), (4,), (0,), (0,), (), ()),
    "outer": ((3,), (2, 2), (), (), (), ()),
    "batch": ((2, 3, 4), (2, 4, 5), (2,), (1,), (0,), (0,)),
    "batch_elsewhere": ((3, 2, 4), (4, 5, 2), (2,), (0,), (1,), (2,)),
    "two_batch": ((2, 3, 4, 5), (3, 5, 2, 6), (3,), (1,), (0, 1), (2, 0)),
    "two_contracting": ((2, 3, 4), (4, 5, 3), (1, 2), (2, 0), (), ()),
    "attention": ((2, 5, 3, 4), (2, 6, 3, 4), (3,), (3,), (0, 2), (0, 2)),
    "batch_and_two_contracting": ((4, 2, 3, 5), (3, 5, 4), (2, 3), (0, 1), (0,), (2,)),
}


def add(made):
    for name, (lhs, rhs, lc, rc, lb, rb) in CASES.items():
        config = {"lhs_contracting_dimensions": lc, "rhs_contracting_dimensions": rc, "lhs_batching_dimensions": lb,
                  "rhs_batching_dimensions": rb}
        record(made, f"dot_general/{name}", "dot_general", config,
               lambda a, b: lax.dot_general(a, b, ((lc, rc), (lb, rb)), precision=lax.Precision.HIGHEST),
               Seeded(f"{name}/lhs").normal(*lhs), Seeded(f"{name}/rhs").normal(*rhs))
