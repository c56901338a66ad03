"""A topic's cases and tensors, saved as one safetensors file."""
import json
import os

import numpy as np
from safetensors.numpy import save_file


class Archive:
    def __init__(self, topic):
        self.topic, self.cases, self.tensors, self.stored = topic, [], {}, {}

    def add(self, name, kind, config, tensors, parameters=None, shared=None, **extra):
        """`tensors`: role → array, stored as `<name>:<role>`. `shared`: role → name of a tensor already stored."""
        if any(case["name"] == name for case in self.cases):
            raise ValueError(f"two cases named {name}")
        names = dict(shared or {})
        for role, value in tensors.items():
            names[role] = self.put(f"{name}:{role}", value)
        missing = [stored for stored in names.values() if stored not in self.tensors]
        if missing:
            raise ValueError(f"{name} shares tensors that are not stored: {missing}")
        case = {"name": name, "kind": kind, "config": config, "tensors": names, **extra}
        if parameters is not None:
            case["parameters"] = parameters
        self.cases.append(case)

    def put(self, name, value):
        array = np.asarray(value)
        if array.dtype in (np.float64, np.int64):
            raise TypeError(f"{name} is {array.dtype}: choose a 32-bit type")
        array = np.ascontiguousarray(array).reshape(array.shape)
        # What several cases have in common is stored once.
        stored = self.stored.setdefault((array.dtype.str, array.shape, array.tobytes()), name)
        if stored == name:
            self.tensors[name] = array
        return stored

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"{self.topic}.safetensors")
        cases = json.dumps(self.cases, separators=(",", ":"), allow_nan=False)
        save_file(self.tensors, path, metadata={"cases": cases})
        os.chmod(path, 0o644)
        return f"{self.topic}: {len(self.cases)} cases, {len(self.tensors)} tensors, {os.path.getsize(path):,} bytes"
