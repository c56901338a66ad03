"""What all peers share: the data, the clock, and the way to say what was measured.

A peer is a script that does one work once, in a process of its own, so that no two thread pools ever share one:

    python torch_peer.py WORK --variant VARIANT --data DIRECTORY [--seconds S] [--samples N] [--device cuda] [--bfloat16]

It prints one JSON object: `seconds` is the median of a unit of the work (a step, a call, a whole prediction).
"""

import argparse
import gzip
import json
import os
import resource
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import works  # noqa: E402

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class Job:
    """A work with what the command line says about it."""

    def __init__(self, work, options):
        self.work = work
        self.variant = options.variant
        self.seconds = options.seconds
        self.samples = options.samples
        self.directory = options.data
        self.device = options.device
        self.bfloat16 = options.bfloat16  # activations and products; weights and their updates stay float32
        self.model = works.MODELS.get(work.model)


def run(versions, kinds):
    """The main program of a peer: `kinds` gives a function of a `Job` for each kind of work."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--variant", default="")
    parser.add_argument("--data")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--samples", type=int, default=60000)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--bfloat16", action="store_true")
    options = parser.parse_args()
    # JAX reads this when it is imported.
    os.environ["JAX_PLATFORMS"] = options.device
    work = works.parse(options.work)
    result = kinds[work.kind](Job(work, options))
    result["peak_bytes"] = resident_bytes("VmHWM:")
    print(json.dumps(result | {"versions": versions() | {"python": sys.version.split()[0]}}), flush=True)


def measure(call, seconds):
    """The median seconds of a call, taken in blocks that are long against the clock's own cost."""
    for _ in range(3):
        call()
    start = time.perf_counter()
    call()
    block = max(1, int(0.002 / max(time.perf_counter() - start, 1e-9)))
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(block):
            call()
        times.append((time.perf_counter() - start) / block)
    return {"seconds": statistics.median(times), "fastest": min(times), "count": len(times) * block}


def measure_epochs(epoch, steps, seconds):
    """The median seconds of a step over whole epochs: at least one, and as many as the time allows."""
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() + times[-1] < end:
        start = time.perf_counter()
        epoch()
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times) / steps, "fastest": min(times) / steps, "count": len(times) * steps}


def steps(count, batch):
    return (count + batch - 1) // batch


def resident_bytes(field="VmRSS:"):
    """What of the process is in memory now, or was at most. Where the system does not tell it of a program alone, the peak
    serves for both: `ru_maxrss` counts what the process was before it became this program."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak * (1 if sys.platform == "darwin" else 1024)


def fashion_mnist(job, part="train", limited=True):
    """The images, uint8 [N, 28, 28, 1], and their classes, int64 [N]."""
    import numpy as np

    def read(name):
        with gzip.open(os.path.join(job.directory, name + ".gz"), "rb") as file:
            content = file.read()
        shape = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(content[3])]
        return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)

    images, labels = read(f"{part}-images-idx3-ubyte")[..., None], read(f"{part}-labels-idx1-ubyte").astype("int64")
    if part == "train" and limited:
        images, labels = images[: job.samples], labels[: job.samples]
    return images, labels


def training_data(job):
    """Samples that are ready for the model and lie in memory, and their classes. Made-up classes can be learnt by heart, so
    that a falling loss shows that training takes place."""
    import numpy as np

    model = job.model
    if not model.steps:
        images, labels = fashion_mnist(job)
        return images.astype("float32") / 255, labels
    count = model.steps * job.work.batch
    random = np.random.default_rng(1)
    labels = random.integers(0, model.classes, count)
    if model.vocabulary:
        return random.integers(0, model.vocabulary, (count,) + model.input).astype("int32"), labels
    return random.standard_normal((count,) + model.input, dtype="float32"), labels


def test_data(job):
    """The 10,000 images to predict or to measure the accuracy on; None for models that train on made-up data."""
    if job.model.steps:
        return None
    images, labels = fashion_mnist(job, "t10k")
    return images.astype("float32") / 255, labels


def prediction_data(job):
    """The samples of a prediction: the 10,000 images, or one batch of made-up ones."""
    if not job.model.steps:
        return test_data(job)[0]
    shape = (job.work.batch,) + job.model.input
    if job.model.vocabulary:
        import numpy as np

        return np.random.default_rng(1).integers(0, job.model.vocabulary, shape).astype("int32")
    return random_arrays(shape)[0]


def random_arrays(*shapes):
    import numpy as np

    random = np.random.default_rng(2)
    return [random.standard_normal(shape, dtype="float32") for shape in shapes]


def warm_up_count(job, count):
    """How many samples go through training before the clock starts: a few full batches, and the ragged last one."""
    few = 40 * job.work.batch + count % job.work.batch
    return min(few, count)
