#!/usr/bin/env python3
"""Kills trainings with SIGKILL, at random moments and inside the writing of checkpoints, goes on with them, and compares what
comes of it with a training that nobody disturbed: the digest of the weights, the numbers of every epoch, and the bytes of the
files that callbacks write. Then it fills the disk during a write. Exits with 1 if anything differs.

    Tests/Kill/kill-and-resume.py --kills 50
    Tests/Kill/kill-and-resume.py --kills 5 -- --threads 1
    Tests/Kill/kill-and-resume.py --launcher "mpirun -np 2" -- --workers 2

What follows '--' is given to every 'accelerando train'."""

import argparse
import csv
import hashlib
import json
import os
import pathlib
import random
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


NAMES = {"step": "some moment", "write": "a write's begin", "epoch": "an epoch's end"}


class Failure(Exception):
    pass


class Trial:
    """One training with its directory."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.output = directory / "run"
        self.log = directory / "epochs.jsonl"

    @property
    def checkpoints(self):
        return self.output / "checkpoints"

    def start(self, *arguments, limit=None):
        """Starts the command in a group of its own, so that a launcher's children die with it."""

        def prepare():
            os.setsid()
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        command = shlex.split(self.options.launcher) + [self.options.program, "train", *map(str, arguments)]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=prepare)

    def first(self, *more, **settings):
        return self.start(
            self.options.recipe, "--data", self.options.data, "--output", self.output, "--json", self.log,
            *more, *self.options.extra, **settings)

    def checkpointed(self, **settings):
        return self.first("--checkpoint-every", self.options.every, "--keep", 3, **settings)

    def resumed(self, **settings):
        return self.start("--resume", self.output, **settings)

    def result(self):
        """What must be the same: the digest, every epoch's numbers, the callbacks' files."""
        epochs = [json.loads(line) for line in self.log.read_text().splitlines()]
        for epoch in epochs:
            for key in [key for key in epoch if key.endswith("seconds")]:
                del epoch[key]
        table = self.output / "epochs.csv"
        best = self.output / "best.safetensors"
        return {
            "weights_sha256": epochs[-1].get("weights_sha256"),
            "epochs": epochs,
            "csv": list(csv.reader(table.open())) if table.exists() else None,
            "best": digest(best) if best.exists() else None,
            "board": board(self.output / "board"),
        }


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def board(directory):
    """The records of TensorBoard's files but for their times: lengths, steps and numbers."""
    found = {}
    for path in sorted(directory.glob("*/events*")):
        data, records = path.read_bytes(), []
        while data:
            size = int.from_bytes(data[:8], "little")
            # An event begins with its wall time: a tag and eight bytes.
            records.append(data[12 + 9:12 + size].hex())
            data = data[16 + size:]
        found.setdefault(path.parent.name, []).append(records)
    return found


def finish(process, expected=0):
    _, errors = process.communicate()
    if process.returncode != expected:
        raise Failure(f"exit code {process.returncode}, expected {expected}:\n{errors}")
    return errors


def kill(process):
    # A launcher puts its children into groups of their own, where they would live on for a moment.
    children = descendants(process.pid)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.communicate()
    while any(is_running(child) for child in children):
        time.sleep(0.001)


def status(pid):
    """The state and the parent of a process; None if it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[1])
    except (OSError, IndexError):
        return None


def is_running(pid):
    found = status(pid)
    return found is not None and found[0] not in "ZX"


def descendants(pid):
    parents = {int(entry.name): status(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()}
    found = [pid]
    for one in found:
        found += [child for child, state in parents.items() if state and state[1] == one]
    return found[1:]


def wait_for(process, moment, patience, found):
    """Waits until `found` is true, then a little; False when the process ends before."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if process.poll() is not None:
            return False
        if found():
            time.sleep(moment)
            return process.poll() is None
    return process.poll() is None


def kill_somewhere(trial, process, kind, span):
    """Waits for a moment of some kind, and kills the process there; None if it came to its end before."""
    if kind == "write":
        partial = lambda: any(trial.checkpoints.glob(".*.partial"))
        met = wait_for(process, random.uniform(0, 0.004), span, partial)
    elif kind == "epoch":
        # A line in the table comes at an epoch's end, before other callbacks and the checkpoint; one in the log comes when the
        # next epoch begins.
        log = random.choice([trial.log, trial.output / "epochs.csv"])
        length = lambda: log.stat().st_size if log.exists() else 0
        goal = length() + random.randint(1, 12) * (200 if log == trial.log else 80)
        met = wait_for(process, random.choice([0, random.uniform(0, 0.002)]), span, lambda: length() > goal)
    else:
        met = wait_for(process, random.uniform(0, span), 0, lambda: True)
        if met is False and process.poll() is None:
            met = True
    if process.poll() is not None or not met:
        return None
    kill(process)
    left = list(trial.checkpoints.glob(".*.partial")) if trial.checkpoints.exists() else []
    return NAMES[kind] + (", a checkpoint half written" if left else "")


def compare(result, reference):
    for key, value in reference.items():
        if result[key] != value:
            raise Failure(f"{key} differs:\n  undisturbed {str(value)[-300:]}\n  resumed     {str(result[key])[-300:]}")


def kill_and_resume(options, directory, reference, span):
    kills, runs, moments = 0, 0, {}
    while kills < options.kills:
        trial = Trial(options, directory / f"run-{runs}")
        trial.directory.mkdir()
        process, deaths = trial.checkpointed(), 0
        # Some runs die once, some many times.
        wanted = min(random.choice([1, 2, 4, 8]), options.kills - kills)
        while True:
            kind = random.choice(["step", "step", "write", "epoch"])
            met = kill_somewhere(trial, process, kind, span) if deaths < wanted else None
            if met is None:
                finish(process)
                break
            deaths += 1
            moments[met] = moments.get(met, 0) + 1
            if any(trial.checkpoints.glob("checkpoint-*")):
                process = trial.resumed()
            else:
                # It died before its first checkpoint. What it left of logs is another run's.
                shutil.rmtree(trial.output, ignore_errors=True)
                process = trial.checkpointed()
        compare(trial.result(), reference)
        kills, runs = kills + deaths, runs + 1
        print(f"run {runs:3}: killed {deaths} times, {kills:3} of {options.kills} in all; "
              f"{trial.result()['weights_sha256'][:16]}, the same", flush=True)
        shutil.rmtree(trial.directory)
    for met, count in sorted(moments.items()):
        print(f"  {count:3} × killed at: {met}")


def contents(directory):
    return {
        str(path.relative_to(directory)): digest(path)
        for path in sorted(directory.rglob("*")) if path.is_file() and path.name != "command.json"
    }


def check_full(trial, process, reference, known):
    errors = finish(process, expected=65)
    # A callback's file may be the first that does not fit.
    if "could not be written" not in errors and "cannot write" not in errors:
        raise Failure(f"the error does not say what could not be written:\n{errors}")
    now = contents(trial.checkpoints)
    for name, value in known.items():
        if now.get(name) != value:
            raise Failure(f"{name} is not as it was before the disk was full")
    if any(trial.checkpoints.glob(".*.partial")):
        raise Failure("half a checkpoint was left behind")
    print("  " + errors.strip().splitlines()[-1])


def die_in_the_middle(trial, span):
    process = trial.checkpointed()
    wait_for(process, 0, 60, lambda: len(list(trial.checkpoints.glob("checkpoint-*"))) >= 2)
    kill(process)
    for path in trial.checkpoints.glob(".*"):
        shutil.rmtree(path)
    return contents(trial.checkpoints)


def limit_files(options, directory, reference, span):
    """No file may be as large as the tensors of a checkpoint."""
    if options.launcher:
        print("a limit on the size of files: left out, since it would be one on the launcher's own files")
        return
    trial = Trial(options, directory / "limited")
    trial.directory.mkdir()
    known = die_in_the_middle(trial, span)
    size = max(path.stat().st_size for path in trial.checkpoints.rglob("*.safetensors"))
    check_full(trial, trial.resumed(limit=size // 2), reference, known)
    finish(trial.resumed())
    compare(trial.result(), reference)
    print("a limit on the size of files: the old checkpoints intact, then the same weights", flush=True)


def fill_disk(options, directory, reference, span):
    """A disk of its own that has no room for another checkpoint."""
    mount = directory / "disk"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", mount], capture_output=True).returncode:
        print("a full disk: left out, since no disk can be mounted here")
        return
    try:
        trial = Trial(options, mount)
        known = die_in_the_middle(trial, span)
        room = os.statvfs(mount)
        with open(mount / "filler", "wb") as filler:
            filler.write(bytes(room.f_bavail * room.f_frsize - 16384))
        check_full(trial, trial.resumed(), reference, known)
        (mount / "filler").unlink()
        finish(trial.resumed())
        compare(trial.result(), reference)
        print("a full disk: the old checkpoints intact, then the same weights", flush=True)
    finally:
        subprocess.run(["umount", mount])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--program", default=str(HERE.parent.parent / ".build/release/accelerando"))
    parser.add_argument("--recipe", default=str(HERE / "everything.yaml"))
    parser.add_argument("--data", default="sample")
    parser.add_argument("--every", default="7", help="the interval between checkpoints")
    parser.add_argument("--launcher", default="", help="what the program is started by, such as 'mpirun -np 2'")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("extra", nargs="*")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    random.seed(seed)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="kill-and-resume-"))
    try:
        reference_run = Trial(options, directory / "undisturbed")
        reference_run.directory.mkdir()
        start = time.monotonic()
        finish(reference_run.first())
        reference = reference_run.result()
        span = time.monotonic() - start
        # Writing checkpoints makes a run longer, and so makes more moments.
        start, timed = time.monotonic(), Trial(options, directory / "timed")
        timed.directory.mkdir()
        finish(timed.checkpointed())
        compare(timed.result(), reference)
        print(f"undisturbed: {len(reference['epochs'])} epochs in {span:.1f} s, {time.monotonic() - start:.1f} s with "
              f"checkpoints every {options.every}, {reference['weights_sha256'][:16]} (seed of the kills: {seed})", flush=True)
        span = time.monotonic() - start
        kill_and_resume(options, directory, reference, span)
        limit_files(options, directory, reference, span)
        fill_disk(options, directory, reference, span)
    except Failure as failure:
        print(f"FAILED (seed {seed}, {directory} is kept): {failure}", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(directory)


main()
