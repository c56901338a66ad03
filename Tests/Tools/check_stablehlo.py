"""Parses, verifies and compiles every module that StableHLOTests left in a folder; needs `pip install jax`.

    STABLEHLO_DUMP=DIR swift test -c release --filter StableHLOTests
    python3 check_stablehlo.py DIR
"""
import pathlib
import sys

import jax
from jax._src.lib.mlir import ir
from jaxlib.mlir.dialects import stablehlo
from jax._src.interpreters import mlir

failures = 0
modules = sorted(pathlib.Path(sys.argv[1]).glob("*.mlir"))
for path in modules:
    try:
        with mlir.make_ir_context():
            module = ir.Module.parse(path.read_text())
            module.operation.verify()
    except Exception as error:
        failures += 1
        print(f"{path.name}: {str(error)[:600]}")
print(f"{len(modules)} modules, {failures} refused")
sys.exit(failures > 0)
