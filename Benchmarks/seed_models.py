"""Trains the seed models with Accelerando and Keras in turn, on the same machine in the same sitting, and prints the ratios.

usage: seed_models.py --data DIRECTORY [--python PYTHON] [--repeats N] [--epochs N] [--json FILE]

PYTHON is an interpreter with Benchmarks/requirements.txt installed; DIRECTORY holds the four gzipped files of
Fashion-MNIST. Build first: swift build -c release --product accelerando
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))


def lines(command):
    """Runs a command; gives the JSON objects that it prints and the seconds until the first one was there."""
    start = time.perf_counter()
    first = None
    found = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("{"):
                first = first or time.perf_counter() - start
                found.append(json.loads(line))
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return found, first


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--program", default=os.path.join(here, "..", ".build", "release", "accelerando"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()

    results = {}
    for model in ["mlp", "cnn"]:
        ours, theirs = [], []
        for _ in range(options.repeats):
            ours.append(lines([
                options.program, "train", model, "--epochs", str(options.epochs), "--data", options.data, "--json", "-"]))
            theirs.append(lines([
                options.python, os.path.join(here, "keras_seed.py"), model, options.data, str(options.epochs)]))

        def figures(runs):
            epochs = [epoch for found, _ in runs for epoch in found if "seconds" in epoch]
            return {
                "epoch_seconds": statistics.median(epoch["seconds"] for epoch in epochs),
                "slowest_epoch": max(epoch["seconds"] for epoch in epochs),
                "fastest_epoch": min(epoch["seconds"] for epoch in epochs),
                "first_epoch_done": statistics.median(first for _, first in runs),
                "val_accuracy": statistics.median(found[-1]["val_accuracy"] for found, _ in runs),
            }

        results[model] = {"accelerando": figures(ours), "keras": figures(theirs)}
        results[model]["keras"]["import_seconds"] = statistics.median(found[0]["import_seconds"] for found, _ in theirs)

    print(f"{'':28}{'Accelerando':>14}{'Keras':>10}{'ratio':>9}")
    for model, result in results.items():
        for key, title in [
            ("epoch_seconds", "epoch, median, s"), ("slowest_epoch", "slowest epoch, s"),
            ("fastest_epoch", "fastest epoch, s"), ("first_epoch_done", "start to first epoch, s"),
            ("val_accuracy", f"accuracy after {options.epochs}"),
        ]:
            a, b = result["accelerando"][key], result["keras"][key]
            ratio = "" if key == "val_accuracy" else f"{b / a:8.1f}×"
            print(f"{model + ' ' + title:28}{a:14.3f}{b:10.3f}{ratio}")
        print(f"{model + ' import alone, s':28}{'':14}{result['keras']['import_seconds']:10.3f}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    main()
