"""The part of gpu.sh that counts: checks the numbers on a device against this library's own engine, finds out what compiled
steps call, and times them beside JAX and PyTorch, everything in processes of their own, in one sitting.

What it finds is printed as tables and kept in OUT/gpu.json.
"""

import argparse
import datetime
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "peers"))

import jax_peer  # noqa: E402
import report  # noqa: E402
import torch_peer  # noqa: E402
import works  # noqa: E402

# (work, whether in bfloat16); the last three have their work in matrix products.
WORKS = [(f"train/{model}/{batch}", False) for model in ("mlp", "cnn") for batch in (32, 256, 1024)] + [
    ("train/resnet/64", False), ("train/encoder/16", False), ("train/resnet/64", True), ("train/encoder/16", True),
]
DRY_WORKS = [("train/mlp/256", False), ("train/cnn/256", False), ("train/transformer/32", False), ("train/transformer/32", True)]
PEAK = "product/8192x8192x8192"
DRY_PEAK = "product/512x512x512"

# How ours is asked for bfloat16 in the layers with float32 weights.
BFLOAT16 = ["--precision", "mixed_bfloat16"]

# What is to be reached: against JAX's best, on the seed models against PyTorch's best, and of the matrix peak.
TARGETS = {"jax": 1.0, "torch": 5.0, "peak": 0.7}


def run(arguments, limit=900, **environment):
    """What a process printed, or why it failed."""
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=limit, env=os.environ | environment)
    except subprocess.TimeoutExpired:
        return None, f"not done after {limit} s"
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1][:300]
    return done.stdout, None


def cache_with_plugins(folder):
    """A new cache without compiled programs, in which the plugins of the present one are found."""
    cache = os.path.join(folder, "cache")
    os.makedirs(os.path.join(cache, "accelerando"))
    present = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    plugins = os.path.join(present, "accelerando", "plugins")
    if os.path.isdir(plugins):
        os.symlink(os.path.realpath(plugins), os.path.join(cache, "accelerando", "plugins"))
    return cache


def last_object(output):
    lines = [line for line in (output or "").splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


class Sitting:
    def __init__(self, options):
        self.options = options
        self.on_gpu = not options.dry
        self.found = {"date": datetime.date.today().isoformat(), "device": options.device, "checks": [], "calls": {}, "times": []}

    def keep(self):
        with open(os.path.join(self.options.out, "gpu.json"), "w") as file:
            json.dump(self.found, file, indent=1)

    # -- Are the numbers right?

    def check(self):
        """An epoch on the device and on this library's own engine: the same seed gives the same weights and batches, so that the
        losses differ by rounding alone (TF32 products on GPUs: three decimals)."""
        rows = [["check", "loss here", "loss there", "relative", "accuracy", "there", ""]]
        for model in ("mlp", "cnn"):
            results = {}
            for device in ("cpu", self.options.device):
                output, error = run([
                    self.options.program, "train", model, "--data", self.options.data, "--epochs", "1", "--limit",
                    "2000" if self.options.dry else "60000", "--device", device, "--json", "-"])
                results[device] = last_object(output) or {"error": error or "no output"}
            here_, there = results["cpu"], results[self.options.device]
            if "error" in here_ or "error" in there:
                rows.append([f"train {model}", "", "", "", "", "", here_.get("error") or there.get("error")])
                self.found["checks"].append({"model": model, "agrees": False, "runs": results})
                continue
            apart = abs(here_["loss"] - there["loss"]) / here_["loss"]
            agrees = apart < 0.01 and abs(here_["val_accuracy"] - there["val_accuracy"]) < 0.02
            rows.append([
                f"train {model}", f"{here_['loss']:.5f}", f"{there['loss']:.5f}", f"{apart:.1e}",
                f"{here_['val_accuracy']:.4f}", f"{there['val_accuracy']:.4f}", "agrees" if agrees else "DIFFERS"])
            self.found["checks"].append({"model": model, "agrees": agrees, "relative": apart, "runs": results})
        self.keep()
        print("\n== numbers: this library's engine (here) and the device (there)\n" + report.table(rows, False))

    # -- What do compiled steps call?

    def calls(self):
        """Compiles each step once more with the compiler's own dump, and counts what is called in its last form."""
        rows = [["step", "what the compiled module runs"]]
        for work, low in self.works():
            with tempfile.TemporaryDirectory() as folder:
                _, error = run(
                    [self.options.program, "benchmark", work, "--seconds", "0", "--samples", "2048", "--data", self.options.data,
                     "--device", self.options.device, "--json"] + (BFLOAT16 if low else []),
                    XLA_FLAGS=f"--xla_dump_to={folder} --xla_dump_hlo_as_text=true",
                    XDG_CACHE_HOME=cache_with_plugins(folder))
                files = glob.glob(os.path.join(folder, "*after_optimizations.txt"))
                # The training step is the largest of the modules.
                text = open(max(files, key=os.path.getsize)).read() if files else ""
            counts = self.count(text)
            name = work + (" bfloat16" if low else "")
            self.found["calls"][name] = counts or {"error": error or "the plugin wrote no module"}
            rows.append([name, ", ".join(f"{n}× {call}" for call, n in counts.items()) or error or "the plugin wrote no module"])
        self.keep()
        print("\n== calls: cuBLAS, cuDNN, or kernels that the compiler made\n" + report.table(rows, False))

    @staticmethod
    def count(text):
        names = re.findall(r'custom_call_target="([^"]+)"', text)
        names += ["fusion: " + kind for kind in re.findall(r'"kind":"(__triton[^"]*)"', text)]
        names += ["fusion" for _ in re.findall(r"= \S+ fusion\(", text)]
        names += re.findall(r"= \S+ (dot|convolution|while)\(", text)
        counts = {name: names.count(name) for name in dict.fromkeys(names)}
        return dict(sorted(counts.items(), key=lambda pair: -pair[1]))

    # -- How long does it take?

    def works(self):
        seen = {}
        for work, low in DRY_WORKS if self.options.dry else WORKS:
            seen.setdefault((work, low), None)
        return list(seen)

    def contestants(self, work, low):
        common = ["--seconds", str(self.options.seconds), "--samples", "2048" if self.options.dry else "60000",
                  "--data", self.options.data]
        yield "ours", "", [self.options.program, "benchmark", work, "--json", "--device", self.options.device] + common + (
            BFLOAT16 if low else [])
        device = "cuda" if self.on_gpu else "cpu"
        parsed = works.parse(work)
        for name, peer, ways in [
            ("jax", "jax_peer.py", jax_peer.variants(parsed)), ("torch", "torch_peer.py", torch_peer.variants(parsed, device)),
        ]:
            for way in ways:
                yield name, way, [sys.executable, os.path.join(here, "peers", peer), work, "--variant", way, "--device",
                                  device] + common + (["--bfloat16"] if low else [])

    def time(self, work, low):
        entry = {"work": work, "bfloat16": low, "runs": {}}
        for name, way, arguments in self.contestants(work, low):
            print(f"… {work}{' bfloat16' if low else ''} {name} {way}", file=sys.stderr, flush=True)
            runs = []
            for _ in range(self.options.repeats):
                output, error = run(arguments, JAX_PLATFORMS="cuda" if self.on_gpu else "cpu")
                runs.append(last_object(output) or {"error": error or "no output"})
            entry["runs"].setdefault(name, {})[way] = min(runs, key=lambda run: run.get("seconds", float("inf")))
        self.found["times"].append(entry)
        self.keep()
        return entry

    def times(self):
        print("\n== time of a step; each peer in its best way")
        peaks = {low: self.peak(low) for low in (False, True)}
        rows = [["work", "ours", "jax", "torch", "vs jax", "vs torch", "of matrix peak", ""]]
        for work, low in self.works():
            rows.append(self.row(self.time(work, low), peaks[low]))
        print(report.table(rows, False))
        for low, peak in peaks.items():
            if peak:
                print(f"matrix peak, {'bfloat16' if low else 'float32 (TF32 on GPUs)'}: {peak * 1e-12:.2f} TFLOP/s by PyTorch")
        self.found["peaks"] = {"bfloat16" if low else "float32": peak for low, peak in peaks.items()}
        self.keep()

    def peak(self, low):
        """Operations a second of one large product, by PyTorch: the measured peak that steps are held against."""
        work = DRY_PEAK if self.options.dry else PEAK
        output, _ = run(
            [sys.executable, os.path.join(here, "peers", "torch_peer.py"), work, "--variant", "eager", "--device",
             "cuda" if self.on_gpu else "cpu", "--seconds", str(self.options.seconds)] + (["--bfloat16"] if low else []))
        result = last_object(output)
        return works.parse(work).flops / result["seconds"] if result else None

    def row(self, entry, peak):
        def best(name):
            ways = {way: run for way, run in entry["runs"].get(name, {}).items() if "seconds" in run}
            way = min(ways, key=lambda way: ways[way]["seconds"], default=None)
            return (way, ways[way]) if way is not None else (None, None)

        _, ours = best("ours")
        cells = [entry["work"] + (" bfloat16" if entry["bfloat16"] else ""), shown(ours)]
        marks = []
        ratios = []
        for name in ("jax", "torch"):
            way, run_ = best(name)
            cells.append(f"{shown(run_)} {way}" if run_ else "")
            ratio = run_["seconds"] / ours["seconds"] if ours and run_ else None
            ratios.append("" if ratio is None else f"{ratio:.2f}")
            seed = entry["work"].split("/")[1] in ("mlp", "cnn")
            if ratio is not None and (name == "jax" or seed) and ratio < TARGETS[name]:
                marks.append(f"short of {TARGETS[name]:g}× {name}")
        share = ours["product_flops"] / ours["seconds"] / peak if ours and peak and ours.get("product_flops") else None
        cells += ratios + ["" if share is None else f"{100 * share:.1f} %"]
        if ours is None:
            error = next((run["error"] for run in entry["runs"].get("ours", {}).values() if "error" in run), None)
            marks.append(error or "ours failed")
        return cells + ["; ".join(marks)]


def shown(run_):
    if not run_:
        return ""
    seconds = run_["seconds"]
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", default=".")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="in little, on the processor: to see that all of it works")
    options = parser.parse_args()
    if options.dry:
        options.seconds, options.repeats = 0.2, 1
    sitting = Sitting(options)
    sitting.check()
    sitting.calls()
    sitting.times()
    differing = [check["model"] for check in sitting.found["checks"] if not check["agrees"]]
    missing = [
        entry["work"] for entry in sitting.found["times"]
        if not any("seconds" in run for run in entry["runs"].get("ours", {}).values())]
    if differing:
        print(f"the numbers differ, or there are none: {', '.join(differing)}", file=sys.stderr)
    if missing:
        print(f"there are no times of this library: {', '.join(missing)}", file=sys.stderr)
    sys.exit(1 if differing or missing else 0)


if __name__ == "__main__":
    main()
