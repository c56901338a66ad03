"""How MirroredStrategy divides batches among replicas: writes data/mirrored_shares.json. Needs tensorflow-cpu.

    python Tests/Goldens/mirrored_shares.py"""

import json
import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf  # noqa: E402

REPLICAS = 4
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * REPLICAS
)
cases = []
for workers in range(2, REPLICAS + 1):
    strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(workers)])
    for samples, batch in ((32, 32), (13, 8), (29, 29), (10, 7), (5, 3), (64, 31), (3, 8)):
        dataset = strategy.experimental_distribute_dataset(tf.data.Dataset.range(samples).batch(batch))
        steps = [[part.numpy().tolist() for part in strategy.experimental_local_results(step)] for step in dataset]
        cases.append({"workers": workers, "samples": samples, "batch": batch, "steps": steps})
target = pathlib.Path(__file__).resolve().parent / "data" / "mirrored_shares.json"
target.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
