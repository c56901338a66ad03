"""Dense on rank 2 and 3, with each activation."""
import keras

from ..plain import plain
from ..seeded import Seeded
from .probe import probe

ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax", "gelu", "silu", "elu", "selu", "softplus", "softsign", "leaky_relu",
               "hard_sigmoid", "relu6", "exponential", "log_softmax"]


def add(made):
    for rank, shape in (("rank2", (5, 7)), ("rank3", (2, 3, 6))):
        x = Seeded(f"dense/{rank}").normal(*shape)
        for activation in ACTIVATIONS:
            probe(made, f"dense/{rank}/{activation}", keras.layers.Dense(4, activation=activation), x)
        approximate = keras.layers.Dense(4, activation=lambda v: keras.activations.gelu(v, approximate=True))
        config = plain(keras.layers.Dense(4, activation="gelu").get_config()) | {"approximate": True}
        probe(made, f"dense/{rank}/gelu_approximate", approximate, x, config=config)
        probe(made, f"dense/{rank}/no_bias", keras.layers.Dense(3, use_bias=False), x)
    probe(made, "dense/wide", keras.layers.Dense(10, activation="softmax"), Seeded("dense/wide").normal(9, 131))
    probe(made, "dense/one_row", keras.layers.Dense(1, activation="sigmoid"), Seeded("dense/one_row").normal(1, 1))
    # Built with a rank, the layer of Keras 3.15 forgets its alpha; the function takes it.
    lora = keras.layers.Dense(4)
    lora.build((None, 5))
    lora.enable_lora(2, lora_alpha=3.0)
    probe(made, "dense/lora", lora, Seeded("dense/lora").normal(3, 5),
          config={"units": 4, "use_bias": True, "activation": "linear", "lora_rank": 2, "lora_alpha": 3.0})
