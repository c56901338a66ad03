"""What layers learn from data before training: means and variances, boundaries of bins."""
import keras
import numpy as np

from .archive import Archive
from .seeded import Seeded


def archive():
    made = Archive("adapting")
    for name, shape, axis in [("columns", (200, 5), -1), ("single", (200, 5), None), ("images", (20, 6, 5, 3), -1),
                              ("places", (20, 6, 5, 3), (1, 2)), ("far", (500, 2), -1)]:
        x = Seeded(f"adapting/{name}").normal(*shape, scale=3.0, shift=1000.0 if name == "far" else 0.5)
        layer = keras.layers.Normalization(axis=axis)
        layer.adapt(x.astype("float64") if name == "far" else x)
        made.add(f"normalization/{name}", "Normalization", {"axis": list(axis) if isinstance(axis, tuple) else axis},
                 {"x": x, "mean": np.array(layer.adapt_mean), "variance": np.array(layer.adapt_variance)})
    for count, bins, epsilon in [(1000, 10, 0.01), (1000, 4, 0.1), (50, 8, 0.01), (5, 8, 0.01), (3000, 49, 0.01), (777, 3, 0.003), (1000, 200, 0.01), (64, 1, 0.01)]:
        x = Seeded(f"adapting/bins{count}/{bins}").normal(count, 1, scale=2.0)
        if count == 777:
            x = np.round(x)
        layer = keras.layers.Discretization(num_bins=bins, epsilon=epsilon)
        layer.adapt(x)
        made.add(f"discretization/{count}/{bins}/{epsilon}", "Discretization", {"num_bins": bins, "epsilon": epsilon},
                 {"x": x, "boundaries": np.array(layer.bin_boundaries, "float32"), "y": np.asarray(layer(x), "int32")})
    return made
