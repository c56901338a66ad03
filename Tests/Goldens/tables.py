"""Writes data/tables.json: CSV texts, and what pandas reads from them. Needs pandas 3.

    python Tests/Goldens/tables.py
"""
import csv
import io
import json
import os

import numpy as np
import pandas as pd


def random_tables(rng):
    """Tables of every kind of column, written by Python's own csv module with another delimiter each."""
    words = ["x", "y z", "a,b", 'say "hi"', "two\nlines", "é", "semi;colon", "tab\there", "pipe|d", "", "NA", "null", " padded "]
    for number, delimiter in enumerate([",", ";", "\t", "|"]):
        rows = 40
        columns = {
            "whole": [str(v) for v in rng.integers(-1000, 1000, rows)],
            "long": [str(v) for v in rng.integers(-(2**62), 2**62, rows)],
            "holes": [rng.choice(["1", "2", "", "NaN", "-7"]) for _ in range(rows)],
            "real": [repr(float(v)) for v in rng.standard_normal(rows) * 10.0 ** rng.integers(-30, 30, rows)],
            "gaps": [rng.choice(["1.5", "-2e3", ".5", "5.", "N/A", "inf", "-inf", "+3"]) for _ in range(rows)],
            "truth": [rng.choice(["True", "false", "TRUE"]) for _ in range(rows)],
            "word": [words[i] for i in rng.integers(0, len(words), rows)],
            "mixed": [rng.choice(["1", "2.5", "three", "true", ""]) for _ in range(rows)],
            "empty": [""] * rows,
            "day": [str(np.datetime64("1960-01-01") + int(d)) for d in rng.integers(0, 40000, rows)],
            "moment": [str(pd.Timestamp(int(s), unit="s")) for s in rng.integers(0, 2**31, rows)],
        }
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n" if number % 2 else "\n", quoting=csv.QUOTE_ALL if number == 3 else csv.QUOTE_MINIMAL)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values()))
        yield text.getvalue(), {"sep": delimiter}


CASES = [
    ("a,b,c\n1,2.5,x\n2,NA,\"y,\"\"z\nq\"\n,3,\n", {}),
    ("\ufeffa,b\r\n1,2\r\n3,4\r\n", {}),
    ("a;b\n1,5;x\n-2,25;y\n", {"sep": ";", "decimal": ","}),
    ("# first\na,b\n1,2\n\n# more\n3,4", {"comment": "#"}),
    ("a,a,b,a\n1,2,3,4\n", {}),
    ("a\rb\r1\r", {}),
    ("a\n1e400\n-1e400\n1e-400\n", {}),
    ("n\n9007199254740993\n1\n", {}),
    ("n\n9007199254740993\n\nNA\n", {}),
    ("n\n9223372036854775807\n-9223372036854775808\n", {}),
    ("a,b\n 1,2 \n 3.5 ,x\n", {}),
    ("id,text\n007,True\n010,yes\n", {}),
]


def column(name, series):
    kinds = {"i": "int", "f": "float", "b": "bool", "M": "date"}
    kind = kinds.get(series.dtype.kind, "text")
    if kind == "text" and name in ("day", "moment"):
        series, kind = pd.to_datetime(series), "date"
    def value(v):
        if pd.isna(v):
            return None
        if kind == "date":
            return repr((v - pd.Timestamp(0)) / pd.Timedelta(seconds=1))
        return str(int(v)) if kind in ("int", "bool") else repr(float(v)) if kind == "float" else v
    return {"name": name, "kind": kind, "values": [value(v) for v in series]}


def main():
    cases = []
    for text, options in CASES + list(random_tables(np.random.default_rng(7))):
        frame = pd.read_csv(io.StringIO(text), float_precision="round_trip", **options)
        cases.append({"csv": text, "options": options, "columns": [column(n, frame[n]) for n in frame.columns]})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "tables.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"pandas": pd.__version__, "cases": cases}, file, ensure_ascii=False, indent=0)
        file.write("\n")
    print(path)


main()
