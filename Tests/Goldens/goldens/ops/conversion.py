"""stablehlo.convert, reduce_precision and bitcast_convert. Floats to integers: towards 0, saturating, NaN to 0."""
import jax.numpy as jnp
import numpy as np
from jax import lax

from .compiled import record

FLOATS = np.float32([0.0, -0.0, 0.5, -0.5, 0.99999994, 1.5, -1.5, 2.5, -2.7, 127.5, 128, -129, 255.9, 256, -1, 65504, 65520, 65535, 70000, 16777217,
                     2147483520, 2147483648, 3e9, 4294967040, 4294967296, -2147483648, -2147484000, 1e20, -1e20, 1.00390625, 1.01171875,
                     3.3895314e38, 3.4e38, 1e-7, np.inf, -np.inf, np.nan])
INTEGERS = np.int32([0, 1, -1, 127, 128, -128, -129, 255, 256, 65535, 16777217, 16777219, -16777217, 2147483647, -2147483648])

TYPES = {"i32": jnp.int32, "u32": jnp.uint32, "i8": jnp.int8, "u8": jnp.uint8, "i1": jnp.bool_, "f16": jnp.float16,
         "bf16": jnp.bfloat16, "f32": jnp.float32}


def widened(name, x):
    """bfloat16 as float32, exactly."""
    return lax.convert_element_type(x, jnp.float32) if name == "bf16" else x


def nonzero_or(name, x):
    return lax.ne(x, lax.full_like(x, 0)) if name == "i1" else lax.convert_element_type(x, TYPES[name])


def add(made):
    for name in TYPES:
        if name != "f32":
            record(made, f"convert/f32_to_{name}", "convert", {"from": "f32", "to": name}, lambda x: widened(name, nonzero_or(name, x)), FLOATS)
        if name != "i32":
            record(made, f"convert/i32_to_{name}", "convert", {"from": "i32", "to": name}, lambda x: widened(name, nonzero_or(name, x)), INTEGERS)
    unsigned = INTEGERS.view(np.uint32)
    record(made, "convert/u32_to_f32", "convert", {"from": "u32", "to": "f32"}, lambda x: lax.convert_element_type(x, jnp.float32), unsigned)
    record(made, "convert/i1_to_f32", "convert", {"from": "i1", "to": "f32"}, lambda x: lax.convert_element_type(x, jnp.float32),
           np.array([True, False]))
    halves = np.float16([0, -0.0, 1.5, 65504, 6e-8, np.inf, -np.inf, np.nan])
    record(made, "convert/f16_to_f32", "convert", {"from": "f16", "to": "f32"}, lambda x: lax.convert_element_type(x, jnp.float32), halves)
    for exponent, mantissa in ((8, 7), (5, 10), (8, 10), (4, 3)):
        record(made, f"reduce_precision/e{exponent}m{mantissa}", "reduce_precision", {"exponent_bits": exponent, "mantissa_bits": mantissa},
               lambda x: lax.reduce_precision(x, exponent, mantissa), FLOATS)
    record(made, "bitcast_convert/f32_to_u32", "bitcast_convert", {"to": "u32"}, lambda x: lax.bitcast_convert_type(x, jnp.uint32), FLOATS)
    record(made, "bitcast_convert/u32_to_f32", "bitcast_convert", {"to": "f32"}, lambda x: lax.bitcast_convert_type(x, jnp.float32),
           np.uint32([0, 0x80000000, 0x3F800000, 0x7F800000, 0x40490FDB]))
