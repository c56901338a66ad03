"""Single operations, computed by compiled JAX on a CPU, where StableHLO's semantics are easy to get wrong."""
from ..archive import Archive
from . import contraction, conversion, convolution, elementwise, indexing, ordering, padding, windows


def archive():
    made = Archive("ops")
    for module in (convolution, contraction, indexing, padding, windows, ordering, elementwise, conversion):
        module.add(made)
    return made
