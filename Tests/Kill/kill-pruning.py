#!/usr/bin/env python3
"""Kills prunings with SIGKILL at random moments, in the training before and in the pruning itself, goes on with them, and
compares the digest of the weights with that of a pruning that nobody disturbed. Exits with 1 if anything differs.

    Tests/Kill/kill-pruning.py --kills 50
    Tests/Kill/kill-pruning.py --kills 10 --data DIR --every 40 -- --limit 6000 --method block --layers Dense

What follows '--' is given to every 'accelerando prune'."""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=".build/release/accelerando")
    parser.add_argument("--recipe", default="cnn")
    parser.add_argument("--data", default="sample")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", default="7", help="the interval of the checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("extra", nargs="*")
    return parser.parse_args()


def digest(output):
    return json.loads(output)["weights_sha256"]


def main():
    options = parsed()
    moments = random.Random(options.seed)
    program = str(pathlib.Path(options.program).resolve())
    base = [program, "prune", options.recipe, "--data", options.data, "--sparsity", "0.5..0.9", "--train-epochs", "6",
            "--epochs", "6", "--frequency", "5", "--checkpoint-every", options.every, "--json", *options.extra]
    with tempfile.TemporaryDirectory() as place:
        begin = time.monotonic()
        whole = subprocess.run([*base, "--output", f"{place}/whole"], capture_output=True, text=True)
        duration = time.monotonic() - begin
        if whole.returncode != 0:
            sys.exit(whole.stderr)
        expected = digest(whole.stdout)
        print(f"undisturbed: {duration:.1f} s, {expected}", flush=True)
        kills = runs = 0
        while kills < options.kills:
            runs += 1
            directory = pathlib.Path(place) / f"run{runs}"
            left = 4
            while True:
                # Before its first steps a run keeps nothing that could go on.
                begun = (directory / "checkpoints" / "command.json").exists()
                command = [program, "prune", "--resume", str(directory)] if begun else [*base, "--output", str(directory)]
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                if left > 0:
                    left -= 1
                    time.sleep(moments.uniform(0, 0.5) * duration)
                    if process.poll() is None:
                        kills += 1
                        process.kill()
                        process.communicate()
                        continue
                output, errors = process.communicate()
                break
            if process.returncode != 0 or digest(output) != expected:
                sys.exit(f"run {runs} came to another end: {errors or digest(output)}")
            print(f"run {runs}: the same weights after {4 - left} deaths at most", flush=True)
    print(f"{kills} kills in {runs} runs: the same weights every time")


main()
