"""Writes the files that the readers are tested against, with the programs that define the formats.

Needs the packages numpy, ml_dtypes and safetensors. Run it in this folder; the files it writes are committed.
"""

import gzip
import io
import struct

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

DTYPES = {
    "bool": np.bool_, "int8": np.int8, "uint8": np.uint8, "int32": np.int32, "int64": np.int64,
    "uint32": np.uint32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32,
    "float64": np.float64,
}


def values(name, shape):
    """0, 1, 2 … as the type allows: odd or even, minus four, or in halves."""
    k = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    if name == "bool":
        return (k % 2 == 1)
    if name.startswith("uint"):
        return (k * 3).astype(DTYPES[name])
    if name.startswith("int"):
        return (k * 3 - 4).astype(DTYPES[name])
    return (k * 0.5 - 2).astype(DTYPES[name])


def main():
    for name in DTYPES:
        np.save(f"{name}.npy", values(name, (2, 3)))
    np.save("fortran.npy", np.asfortranarray(values("float32", (2, 3, 4))))
    np.save("big-endian.npy", values("float32", (2, 3)).astype(">f4"))
    np.save("int16.npy", values("int32", (2, 3)).astype("<i2"))
    np.save("big-endian-fortran-uint16.npy", np.asfortranarray(values("uint32", (2, 3)).astype(">u2")))
    np.save("scalar.npy", np.float64(2.5))
    np.save("empty.npy", np.zeros((0, 5), np.float32))
    for version in (2, 3):
        with open(f"version{version}.npy", "wb") as file:
            np.lib.format.write_array(file, values("float32", (2, 3)), version=(version, 0))
    np.save("structured.npy", np.zeros(3, dtype=[("a", "<f4"), ("b", "<i4")]))
    np.save("objects.npy", np.array([None, 1], dtype=object), allow_pickle=True)

    arrays = {"layers.0.weight": values("float32", (4, 3)), "steps": np.int64(7), "mask": values("bool", (5,))}
    np.savez("stored.npz", **arrays)
    np.savez_compressed("deflated.npz", **arrays)

    tensors = {f"a.{name}": values(name, (2, 3)) for name in DTYPES}
    tensors["scalar"] = np.array(2.5, np.float32)
    tensors["empty"] = np.zeros((0, 5), np.float32)
    save_file(tensors, "all.safetensors", metadata={"format": "np", "Größe": 'a "quoted"\nline'})

    images = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    header = bytes([0, 0, 8, 3]) + struct.pack(">III", *images.shape)
    plain = header + images.tobytes()
    open("images.idx", "wb").write(plain)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as file:
        file.write(plain)
    open("images.idx.gz", "wb").write(buffer.getvalue())
    for code, kind in ((0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")):
        data = values("int32" if "i" in kind else "float64", (2, 3)).astype(kind)
        open(f"type-{code:02x}.idx", "wb").write(bytes([0, 0, code, 2]) + struct.pack(">II", 2, 3) + data.tobytes())


main()
