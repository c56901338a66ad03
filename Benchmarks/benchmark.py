"""Runs Accelerando and its peers side by side in one sitting, and prints a table of ratios.

    swift build -c release --product accelerando
    python3 Benchmarks/benchmark.py --setup /tmp/peers            # once: a virtual environment with the peers
    python3 Benchmarks/benchmark.py --peers-python /tmp/peers/bin/python --data DIRECTORY --json results.json

Every measurement is a process of its own: for each repeat, each work, each contestant, so that what disturbs the machine
disturbs all. A peer is tried in several ways (eager, compiled, …); after the first repeat only those go on that were within a
third of its best. Medians over the repeats count, and the ratio is against the best peer in its best way. Runs during which
other processes used more than a tenth of the machine count only where there are no others.

DIRECTORY holds the four gzipped files of Fashion-MNIST. Nothing but Python's own library is needed here.
"""

import argparse
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "peers"))

import jax_peer  # noqa: E402
import keras_peer  # noqa: E402
import onnx_peer  # noqa: E402
import report  # noqa: E402
import torch_peer  # noqa: E402
import works  # noqa: E402

PEERS = {"torch": torch_peer, "keras": keras_peer, "jax": jax_peer, "onnx": onnx_peer}

# Ours in other circumstances, to be compared with ours as it is.
OURS = {"default": [], "one-core": ["--threads", "1"], "avx2": ["--instruction-set", "avx2"],
        "xla-cpu": ["--device", "xla-cpu"]}


def contestants(work, options):
    """Every (name, variant) that takes part in a work."""
    yield "accelerando", "default"
    if options.xla and work.name in works.ON_XLA:
        yield "accelerando", "xla-cpu"
    if work.kind not in ("latency", "dispatch", "start", "memory") and not options.quick:
        if os.cpu_count() > 1:
            yield "accelerando", "one-core"
        if options.has_avx512:
            yield "accelerando", "avx2"
    for name in options.peers:
        if work.kind in PEERS[name].KINDS and (not work.model or name in works.MODELS[work.model].peers):
            known = options.known_ways.get(work.name, {}).get(name)
            for variant in [known] if known else PEERS[name].variants(work):
                yield name, variant


def command(work, name, variant, options):
    seconds = str(options.seconds)
    if name == "accelerando":
        if work.kind == "start":
            return [options.program, "train", work.model, "--epochs", "1", "--json", "-", "--data", options.data]
        return [options.program, "benchmark", work.name, "--json", "--seconds", seconds, "--samples",
                str(options.samples), "--data", options.data] + OURS[variant]
    return [options.peers_python, os.path.join(here, "peers", f"{name}_peer.py"), work.name, "--variant", variant,
            "--seconds", seconds, "--samples", str(options.samples), "--data", options.data]


def measure(work, name, variant, options):
    """What a process measured, at a time when nobody disturbed it if patience allows."""
    end = time.monotonic() + options.patience
    while True:
        wait_for_quiet(end)
        result = measure_once(work, name, variant, options)
        if time.monotonic() >= end or not report.disturbed(result):
            return result


def wait_for_quiet(end):
    """Returns when the machine has nothing else to do, or when patience is at its end."""
    while time.monotonic() < end:
        before = processor_seconds()[0]
        time.sleep(0.3)
        if processor_seconds()[0] - before < 0.03:
            return


def measure_once(work, name, variant, options):
    """What a process measured, as a dictionary; with `error` when it failed, which is kept and shown as well."""
    arguments = command(work, name, variant, options)
    environment = dict(os.environ)
    if name != "accelerando":
        # JAX would take our plugin for its processor, which is slower than its own.
        environment.pop("PJRT_NAMES_AND_LIBRARY_PATHS", None)
    before, start = processor_seconds(), time.perf_counter()
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            output, errors = process.communicate(timeout=options.limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return {"error": f"not done after {options.limit} s"}
    wall = time.perf_counter() - start
    busy, own = (now - then for now, then in zip(processor_seconds(), before))
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if process.returncode != 0 or not lines:
        return {"error": (errors.strip().splitlines() or ["no output"])[-1][:300]}
    result = json.loads(lines[-1])
    if work.kind == "start":
        # The process ends with the epoch and what checks it; the clock started before the process.
        accuracy = result.get("accuracy") if name != "accelerando" else result.get("val_accuracy")
        result = {"seconds": wall, "accuracy": accuracy, "versions": result.get("versions", {})}
    # What others used of the machine meanwhile, as a part of all its cores.
    result["others"] = max(0, (busy - own) / (wall * os.cpu_count()))
    return result


def processor_seconds():
    """What all processes have used of the machine's cores so far, and what those that were started here have."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = own.ru_utime + own.ru_stime
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, interrupts, soft, *_ = map(int, file.readline().split()[1:])
        return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK"), own
    except OSError:
        return own, own


class Sitting:
    """The measurements so far, and which of them are still to be made."""

    def __init__(self, names, options):
        self.options = options
        self.works = [works.parse(name) for name in names]
        self.results = {name: {} for name in names}
        self.spent = {}  # the seconds of the last process of each (work, contestant, variant)
        self.began = time.perf_counter()

    def run(self):
        for repeat in range(self.options.repeats):
            for position, work in enumerate(self.works):
                for name, variant in contestants(work, self.options):
                    if repeat == 0 or self.goes_on(work, name, variant):
                        self.progress(repeat, position, work, name, variant)
                        start = time.perf_counter()
                        result = measure(work, name, variant, self.options)
                        self.spent[work.name, name, variant] = time.perf_counter() - start
                        self.results[work.name].setdefault(name, {}).setdefault(variant, []).append(result)
                        if self.options.json:
                            report.save(self.results, self.circumstances(), self.options.json)
        if sys.stderr.isatty():
            print("\r" + " " * 99 + "\r", end="", file=sys.stderr)

    def goes_on(self, work, name, variant):
        """Whether a way is quick enough, against the best of the same contestant, to be tried again."""
        runs = self.results[work.name][name]
        figures = {way: report.figure(work, found) for way, found in runs.items()}
        if figures[variant] is None:
            return False
        return name == "accelerando" or figures[variant] <= 1.33 * min(f for f in figures.values() if f is not None)

    def progress(self, repeat, position, work, name, variant):
        """One line that is written over: where the sitting is, and how long it will take."""
        if repeat == 0:
            done = position / len(self.works)
            left = "" if not done else self.left((time.perf_counter() - self.began) * (1 / done - 1), repeat)
        else:
            rest = [w.name for w in self.works[position:]]
            left = self.left(sum(s for key, s in self.spent.items() if key[0] in rest), repeat)
        line = f"repeat {repeat + 1}/{self.options.repeats}  {work.name}  {name} {variant}  {left}"
        if sys.stderr.isatty():
            print("\r" + line[:99].ljust(99), end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def left(self, seconds, repeat):
        """Later repeats leave out the slow ways: about half of the first one's time."""
        seconds += (self.options.repeats - repeat - 1) * 0.5 * (
            sum(self.spent.values()) if repeat else seconds + time.perf_counter() - self.began)
        return f"about {seconds / 60:.0f} min left"

    def circumstances(self):
        found = [
            result.get("versions", {})
            for work in self.results.values() for ways in work.values() for results in ways.values()
            for result in results
        ]
        return {
            "date": datetime.date.today().isoformat(),
            "machine": processor(),
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "versions": {name: version for versions in found for name, version in versions.items()},
            "command": self.command(),
        }


    def command(self):
        """The command without the paths of this machine."""
        options = self.options
        parts = ["python3 Benchmarks/benchmark.py", f"--repeats {options.repeats} --seconds {options.seconds:g}"]
        if options.samples != 60000:
            parts.append(f"--samples {options.samples}")
        if options.patience:
            parts.append(f"--patience {options.patience:g}")
        if options.peers != list(PEERS):
            parts.append("--peers " + " ".join(options.peers))
        if options.xla:
            parts.append("--xla")
        if options.works != list(works.ALL):
            parts.append("--works " + " ".join(options.works))
        if options.ways_of:
            parts.append("--ways-of " + " ".join(map(os.path.basename, options.ways_of)))
        return " ".join(parts)


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return models[0] if models else platform.machine()
    except OSError:
        return platform.processor() or platform.machine()


def has_avx512():
    try:
        with open("/proc/cpuinfo") as file:
            return "avx512f" in file.read()
    except OSError:
        return False


def set_up(directory):
    """Makes a virtual environment with the pinned peers."""
    python = os.path.join(directory, "bin", "python")
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    subprocess.run([python, "-m", "pip", "install", "-r", os.path.join(here, "requirements.txt")], check=True)
    print(f"The peers are installed: --peers-python {python}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", metavar="DIR", help="make a virtual environment with the peers there, and end")
    parser.add_argument("--list", action="store_true", help="print the works and their targets, and end")
    parser.add_argument("--show", nargs="+", metavar="FILE", help="print the table of earlier measurements, and end")
    parser.add_argument("--ways-of", nargs="+", metavar="FILE",
                        help="try each peer only in the way that was its best in earlier measurements")
    parser.add_argument("--works", nargs="+", default=list(works.ALL), metavar="WORK",
                        help="names or beginnings of names: train/cnn/32, product; all by default")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1, help="how long a process measures, at least")
    parser.add_argument("--samples", type=int, default=60000, help="images in an epoch of the seed models")
    parser.add_argument("--limit", type=float, default=150, help="how long a process may take, in seconds")
    parser.add_argument("--patience", type=float, default=0, metavar="S",
                        help="wait so many seconds for a busy machine, and measure again what was disturbed")
    parser.add_argument("--xla", action="store_true",
                        help="measure ours on XLA's CPU too, where its plugin is installed, beside JAX on the same compiler")
    parser.add_argument("--quick", action="store_true", help="one repeat, short epochs: to see that it works")
    parser.add_argument("--data", help="the directory with the files of Fashion-MNIST")
    parser.add_argument("--peers-python", default=sys.executable, help="the interpreter that has the peers")
    parser.add_argument("--program", default=os.path.join(here, "..", ".build", "release", "accelerando"))
    parser.add_argument("--json", metavar="FILE", help="keep every measurement there")
    parser.add_argument("--markdown", action="store_true", help="print the tables in Markdown")
    parser.add_argument("--history", metavar="SITTING",
                        help="with --show: print the lines for Docs/benchmarks/history.csv, under this name")
    options = parser.parse_args()

    if options.setup:
        return set_up(options.setup)
    if options.list:
        return print(report.listing())
    if options.show and options.history:
        return print(report.history(*report.load(options.show), options.history))
    if options.show:
        return print(report.render(*report.load(options.show), options.markdown))
    if not options.data:
        parser.error("--data needs the directory with Fashion-MNIST")
    if options.quick:
        options.repeats, options.samples, options.seconds = 1, min(options.samples, 6400), 0.2
    options.has_avx512 = has_avx512()
    options.known_ways = report.best_ways(report.load(options.ways_of)[0]) if options.ways_of else {}
    sitting = Sitting(works.select(options.works), options)
    sitting.run()
    print(report.render(sitting.results, sitting.circumstances(), options.markdown))


if __name__ == "__main__":
    main()
