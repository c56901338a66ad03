"""What the measurements say: medians, ratios against the best peer, and tables of them."""

import csv
import io
import json
import math
import statistics

import works

PEERS = ["torch", "keras", "jax", "onnx"]


def figure(work, runs):
    """The median of what a work is judged by; None when no run came to its end."""
    key = "peak_bytes" if work.kind == "memory" else "seconds"
    found = [run for run in runs if key in run]
    # Measurements that nobody disturbed, if there are any.
    found = [run[key] for run in [run for run in found if not disturbed(run)] or found]
    return statistics.median(found) if found else None


def disturbed(run):
    """Whether other processes used more than a tenth of the machine meanwhile. Memory does not mind."""
    return run.get("others", 0) > 0.1


def best(work, ways):
    """The best way of a contestant: its name and its figure."""
    figures = {way: figure(work, runs) for way, runs in ways.items()}
    figures = {way: value for way, value in figures.items() if value is not None}
    if not figures:
        return None, None
    way = min(figures, key=figures.get)
    return way, figures[way]


class Row:
    """A work's figures, ours and each peer's best."""

    def __init__(self, name, results):
        self.work = works.parse(name)
        self.target = works.ALL.get(name)
        ours = results.get("accelerando", {})
        self.ours = figure(self.work, ours.get("default", []))
        self.one_core = figure(self.work, ours.get("one-core", []))
        self.avx2 = figure(self.work, ours.get("avx2", []))
        self.on_xla = figure(self.work, ours.get("xla-cpu", []))
        self.peers = {peer: best(self.work, results.get(peer, {})) for peer in PEERS}
        self.ways = results
        # Whose figure comes from disturbed runs alone.
        judged = {"accelerando": ours.get("default", [])} | {
            peer: results.get(peer, {}).get(way, []) for peer, (way, _) in self.peers.items()}
        self.loud = {
            name for name, runs in judged.items() if runs and self.work.kind != "memory" and all(map(disturbed, runs))}

    @property
    def ratio(self):
        """The best peer's figure over ours; or that of the peer which the target names."""
        against = self.target.against if self.target else ""
        figures = [value for peer, (_, value) in self.peers.items() if value is not None and against in ("", peer)]
        return min(figures) / self.ours if figures and self.ours else None

    @property
    def reached(self):
        return None if self.target is None or self.ratio is None else self.ratio >= self.target.ratio

    def shown(self, value):
        """A figure in the unit that the work is spoken of in."""
        if value is None:
            return ""
        if self.work.kind == "memory":
            return f"{value / 2**20:.0f} MiB"
        model = works.MODELS.get(self.work.model)
        if self.work.kind == "train" and not model.steps:
            return f"{value * math.ceil(60000 / self.work.batch):.3f} s"
        if value < 1e-3:
            return f"{value * 1e6:.1f} µs"
        return f"{value * 1e3:.3f} ms" if value < 1 else f"{value:.2f} s"

    def base(self, value):
        """A figure and its unit as the history has them: seconds or MiB."""
        if self.work.kind == "memory":
            return [f"{value / 2**20:.0f}", "MiB"]
        model = works.MODELS.get(self.work.model)
        if self.work.kind == "train" and not model.steps:
            return [f"{value * math.ceil(60000 / self.work.batch):.4g}", "s/epoch"]
        unit = {"train": "s/step", "predict": "s/10000 samples", "start": "s/run"}.get(self.work.kind, "s/call")
        return [f"{value:.4g}", unit]


def render(results, circumstances, markdown=False):
    rows = [Row(name, found) for name, found in results.items()]
    parts = [heading(circumstances, markdown), quiet(results)]
    cells = [["work", "ours"] + PEERS + ["ratio", "target", ""]]
    for row in rows:
        target = "" if row.target is None else f"{row.target.ratio:g}"
        if row.target and row.target.against:
            target += f" ({row.target.against})"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        mark = {True: "reached", False: "short", None: ""}[row.reached]
        loud = lambda name: "*" if name in row.loud else ""  # noqa: E731
        peers = [
            f"{row.shown(value)}{loud(peer)} {way}" if value is not None else ""
            for peer, (way, value) in row.peers.items()
        ]
        cells.append([row.work.name, row.shown(row.ours) + loud("accelerando")] + peers + [ratio, target, mark])
    parts.append(table(cells, markdown))
    parts.append(means(rows))
    parts.append(memory(rows, markdown))
    parts.append(against_itself(rows, markdown))
    parts.append(by_xla(rows, markdown))
    parts.append(all_ways(rows, markdown))
    parts.append(failures(results))
    return "\n\n".join(part for part in parts if part)


def heading(circumstances, markdown):
    versions = ", ".join(f"{name} {version}" for name, version in sorted(circumstances["versions"].items()))
    command = f"\n    {circumstances['command']}\n" if markdown else circumstances["command"]
    return (
        f"{circumstances['date']}, {circumstances['machine']}, {circumstances['cores']} cores, {circumstances['system']}\n"
        f"{versions}\n{command}\n\n"
        "Seed models: seconds an epoch of 60,000; other training: time a step. Each peer in its best way, named beside its\n"
        "figure. The ratio is the best peer's figure over ours, or that of the peer beside the target.")


def quiet(results):
    """How many of the measurements can be believed."""
    runs = [
        run for found in results.values() for ways in found.values() for runs in ways.values() for run in runs
        if "error" not in run
    ]
    loud = sum(map(disturbed, runs))
    return (
        f"{len(runs)} measurements; during {loud} of them other processes used more than a tenth of the machine. "
        "A star marks\nfigures for which there are no others.")


def means(rows):
    lines = []
    for kind, target in works.MEANS.items():
        ratios = [row.ratio for row in rows if row.work.kind == kind and row.ratio is not None]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            lines.append(
                f"{kind}: geometric mean {mean:.3f} of {len(ratios)} ratios, target {target}; least {min(ratios):.2f}; "
                f"{sum(ratio >= 0.95 for ratio in ratios)} of them at least 0.95")
    return "\n".join(lines)


def memory(rows, markdown):
    """The peak of the memory, and how much of it came after the start or, with the peers, after the import."""
    cells = [["memory", "contestant", "peak", "before the work", "growth"]]
    for row in rows:
        for name, ways in row.ways.items() if row.work.kind == "memory" else []:
            for way, runs in ways.items():
                found = [run for run in runs if "import_bytes" in run]
                if found:
                    peak = statistics.median(run["peak_bytes"] for run in found)
                    before = statistics.median(run["import_bytes"] for run in found)
                    cells.append([row.work.name, f"{name} {way}"] + [
                        row.shown(value) for value in (peak, before, peak - before)])
    return "" if len(cells) == 1 else table(cells, markdown)


def against_itself(rows, markdown):
    cells = [["ours alone", "as it is", "one core", "gain by cores", "AVX2", "AVX-512 over AVX2 time"]]
    for row in rows:
        if row.ours and (row.one_core or row.avx2):
            cells.append([
                row.work.name, row.shown(row.ours), row.shown(row.one_core),
                f"{row.one_core / row.ours:.2f}" if row.one_core else "", row.shown(row.avx2),
                f"{row.ours / row.avx2:.2f}" if row.avx2 else ""])
    if len(cells) == 1:
        return ""
    return table(cells, markdown) + (
        f"\n\nTargets: {works.CORES_TARGET} by all cores against one; AVX2 at least {works.AVX2_TARGET} of AVX-512.")


def by_xla(rows, markdown):
    """Ours on XLA's CPU beside JAX, which has the same compiler under it: what is left is what the two frameworks ask of it."""
    cells = [["by XLA's CPU", "ours", "JAX jit", "JAX scan", "JAX' best over ours", "our own engine"]]
    for row in rows:
        if row.on_xla:
            ways = {way: figure(row.work, runs) for way, runs in row.ways.get("jax", {}).items()}
            step, scan = ways.get("step", ways.get("jit")), ways.get("scan")
            found = [value for value in (step, scan) if value is not None]
            unit = lambda value: "" if value is None else f"{value * 1e6:.1f} µs"  # noqa: E731
            cells.append([
                row.work.name, unit(row.on_xla), unit(step), unit(scan),
                f"{min(found) / row.on_xla:.2f}" if found else "", unit(row.ours)])
    if len(cells) == 1:
        return ""
    return table(cells, markdown) + (
        f"\n\nTime of a step or a call. Targets: JAX' best over ours at least 1; a call under {works.XLA_DISPATCH_TARGET} µs.")


HISTORY = ["date", "sitting", "work", "contestant", "way", "figure", "unit", "runs", "ratio", "accuracy", "loss"]


def history(results, circumstances, sitting):
    """The lines of a sitting for Docs/benchmarks/history.csv, without a heading: every way of every contestant."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for row in (Row(name, found) for name, found in results.items()):
        for name, ways in row.ways.items():
            for way, runs in ways.items():
                value = figure(row.work, runs)
                if value is not None:
                    ours = (name, way) == ("accelerando", "default")
                    ratio = f"{value / row.ours:.2f}" if row.ours and not ours else ""
                    writer.writerow([circumstances["date"], sitting, row.work.name, name, way] + row.base(value) + [
                        len(runs), ratio, _last(runs, "accuracy"), _last(runs, "loss")])
    return lines.getvalue().rstrip("\n")


def all_ways(rows, markdown):
    """Every way of every peer, the slow ones too."""
    cells = [["work", "contestant", "way", "median", "runs", "accuracy", "loss"]]
    for row in rows:
        for name, ways in row.ways.items():
            for way, runs in ways.items():
                value = figure(row.work, runs)
                if value is not None:
                    cells.append([
                        row.work.name, name, way, row.shown(value), str(len(runs)), _last(runs, "accuracy"),
                        _last(runs, "loss")])
    return "" if len(cells) == 1 else table(cells, markdown)


def _last(runs, key):
    found = [run[key] for run in runs if run.get(key) is not None]
    return f"{found[-1]:.3f}" if found else ""


def failures(results):
    """What did not come to its end is said, not left out."""
    return "\n".join(
        f"{work}, {name} {way}: {run['error']}"
        for work, found in results.items() for name, ways in found.items() for way, runs in ways.items()
        for run in runs if "error" in run)


def table(cells, markdown=False):
    if markdown:
        lines = ["| " + " | ".join(row) + " |" for row in cells]
        return "\n".join([lines[0], "|" + "---|" * len(cells[0])] + lines[1:])
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    # Names stand to the left, figures to the right.
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in cells)


def listing():
    cells = [["work", "target", "against"]]
    for name, target in works.ALL.items():
        against = "" if target is None else target.against or "the best peer"
        cells.append([name, "" if target is None else f"{target.ratio:g}", against])
    return table(cells)


def save(results, circumstances, path):
    with open(path, "w") as file:
        json.dump({"circumstances": circumstances, "results": results}, file, indent=1)


def load(paths):
    """The measurements of one sitting or several, together, and the circumstances of the last."""
    results, circumstances = {}, {}
    for path in paths:
        with open(path) as file:
            content = json.load(file)
        versions = circumstances.get("versions", {}) | content["circumstances"]["versions"]
        circumstances = content["circumstances"] | {"versions": versions}
        for work, found in content["results"].items():
            for name, ways in found.items():
                for way, runs in ways.items():
                    results.setdefault(work, {}).setdefault(name, {}).setdefault(way, []).extend(runs)
    return results, circumstances


def best_ways(results):
    """The best way of each peer for each work."""
    return {
        work: {name: best(works.parse(work), ways)[0] for name, ways in found.items() if name != "accelerando"}
        for work, found in results.items()
    }
