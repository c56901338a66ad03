"""JAX's threefry2x32 generator, partitionable: keys are pairs of 32-bit words."""
import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from .archive import Archive

SEEDS = {"zero": 0, "one": 1, "42": 42, "31_bits": 2 ** 31 - 1, "32_bits": 2 ** 32 - 1, "above_32_bits": 2 ** 32 + 5,
         "above_48_bits": 0x123456789ABCDEF, "largest": 2 ** 63 - 1, "minus_one": -1}
SHAPES = {"scalar": (), "one": (1,), "five": (5,), "seven_by_three": (7, 3), "2x3x4": (2, 3, 4), "1000": (1000,)}
BLOCKS = {"zeros": ((0, 0), (0, 0)), "ones": ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2),
          "pi": ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3))}


def key_of(seed):
    with jax.enable_x64(True):
        return np.asarray(jax.random.key_data(jax.random.key(seed, impl="threefry2x32")))


def archive():
    jax.config.update("jax_threefry_partitionable", True)
    made, random = Archive("random"), jax.random
    for name, (key, counter) in BLOCKS.items():
        block = jax.extend.random.threefry_2x32(jnp.array(key, jnp.uint32), jnp.array(counter, jnp.uint32))
        made.add(f"block/{name}", "threefry2x32", {"key": list(key), "counter": list(counter)}, {"values": block})
    keys = {name: key_of(seed) for name, seed in SEEDS.items()}
    for name, seed in SEEDS.items():
        made.add(f"key/{name}", "key", {"seed": str(seed)}, {"key": keys[name]})
    for name in ("zero", "42", "above_48_bits"):
        key = random.wrap_key_data(keys[name])
        both = {"key": keys[name]}
        for shape_name, shape in SHAPES.items():
            config = {"shape": list(shape)}
            made.add(f"bits/{name}/{shape_name}", "bits", config, both | {"values": random.bits(key, shape, jnp.uint32)})
            made.add(f"uniform/{name}/{shape_name}", "uniform", config | {"minval": 0, "maxval": 1}, both | {"values": random.uniform(key, shape)})
        for n in (2, 3, 5):
            made.add(f"split/{name}/{n}", "split", {"count": n}, both | {"keys": random.key_data(random.split(key, n))})
        for data in (0, 1, 7, 2 ** 31, 2 ** 32 - 1):
            folded = random.key_data(random.fold_in(key, np.uint32(data)))
            made.add(f"fold_in/{name}/{data}", "fold_in", {"data": data}, both | {"folded": folded})
        shape = (6, 4)
        made.add(f"uniform/{name}/range", "uniform", {"shape": shape, "minval": -0.25, "maxval": 0.75},
                 both | {"values": random.uniform(key, shape, minval=-0.25, maxval=0.75)})
        made.add(f"normal/{name}", "normal", {"shape": shape}, both | {"values": random.normal(key, shape)})
        made.add(f"truncated_normal/{name}", "truncated_normal", {"shape": shape, "lower": -2, "upper": 2},
                 both | {"values": random.truncated_normal(key, -2, 2, shape)})
        made.add(f"bernoulli/{name}", "bernoulli", {"shape": shape, "p": 0.3}, both | {"values": random.bernoulli(key, 0.3, shape)})
        made.add(f"permutation/{name}", "permutation", {"count": 50}, both | {"values": random.permutation(key, 50)})
        made.add(f"randint/{name}", "randint", {"shape": shape, "minval": -3, "maxval": 11},
                 both | {"values": random.randint(key, shape, -3, 11)})
    return made
