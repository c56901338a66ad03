"""Windows of a series, as Keras' timeseries_dataset_from_array cuts them."""
import keras
import numpy as np

from .archive import Archive

CASES = [
    {"length": 5, "stride": 1, "sampling_rate": 1, "horizon": 1},
    {"length": 4, "stride": 3, "sampling_rate": 1, "horizon": 1},
    {"length": 3, "stride": 2, "sampling_rate": 4, "horizon": 2},
    {"length": 1, "stride": 1, "sampling_rate": 1, "horizon": 7},
    {"length": 6, "stride": 5, "sampling_rate": 3, "horizon": 0},
    {"length": 39, "stride": 1, "sampling_rate": 1, "horizon": 1},
]


def archive():
    made = Archive("windows")
    series = np.random.default_rng(3).standard_normal((40, 3)).astype(np.float32)
    made.put("series", series)
    for number, case in enumerate(CASES):
        targets = series[(case["length"] - 1) * case["sampling_rate"] + case["horizon"] :]
        batches = list(
            keras.utils.timeseries_dataset_from_array(
                series, targets, case["length"], sequence_stride=case["stride"], sampling_rate=case["sampling_rate"], batch_size=None
            )
        )
        made.add(
            f"windows/{number}", "windows", case,
            {"windows": np.stack([np.asarray(w) for w, _ in batches]), "targets": np.stack([np.asarray(t) for _, t in batches])},
            shared={"series": "series"},
        )
    return made
