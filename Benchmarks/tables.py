"""How long a large table takes until the first training step, beside what pandas takes to read it alone.

    swift build -c release --product accelerando
    python3 -m venv /tmp/pandas && /tmp/pandas/bin/pip install pandas
    python3 Benchmarks/tables.py --pandas /tmp/pandas/bin/python

Every measurement is a process of its own, in turn, and medians count. The table has rows of random numbers as programs print
them, and a column of two classes. Ours is the whole command: start, reading, the data stage, the first step, saving nothing.
"""

import argparse
import os
import random
import statistics
import subprocess
import tempfile
import time

RECIPE = """
data: {csv: table.csv, target: kind}
layers: [{Dense: {units: 16, activation: relu}}, {Dense: {units: 2, activation: softmax}}]
compile: {loss: sparse_categorical_crossentropy}
fit: {epochs: 1, steps_per_epoch: 1}
"""

PANDAS = """
import sys, time
import pandas
start = time.perf_counter()
table = pandas.read_csv(sys.argv[1])
print(time.perf_counter() - start)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--binary", default=os.path.join(here, "..", ".build", "release", "accelerando"))
    parser.add_argument("--pandas", required=True, help="a Python that has pandas")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        table = os.path.join(directory, "table.csv")
        recipe = os.path.join(directory, "recipe.yaml")
        numbers = random.Random(1)
        with open(table, "w") as file:
            file.write(",".join([f"x{i}" for i in range(options.columns)] + ["kind"]) + "\n")
            for row in range(options.rows):
                values = [f"{numbers.gauss(0, 1):.6f}" for _ in range(options.columns)]
                file.write(",".join(values + ["yes" if row % 3 else "no"]) + "\n")
        with open(recipe, "w") as file:
            file.write(RECIPE)
        print(f"{options.rows} rows, {options.columns} numbers: {os.path.getsize(table) / 1e6:.0f} MB")
        ours, theirs = [], []
        for _ in range(options.repeats):
            start = time.perf_counter()
            subprocess.run([os.path.abspath(options.binary), "train", recipe], check=True, stdout=subprocess.DEVNULL)
            ours.append(time.perf_counter() - start)
            done = subprocess.run(
                [options.pandas, "-c", PANDAS, table], check=True, capture_output=True, text=True)
            theirs.append(float(done.stdout))
        mine, peer = statistics.median(ours), statistics.median(theirs)
        print(f"accelerando, until the first step is done: {mine:.2f} s; pandas.read_csv alone: {peer:.2f} s; "
              f"ratio {peer / mine:.2f}")


if __name__ == "__main__":
    main()
