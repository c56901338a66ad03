#!/usr/bin/env python3
"""Builds the networks that the fuzzer left in a folder (Scripts/fuzz.sh) with Keras in float64, and compares the loss and the
gradient of every weight with those of this library.

    python Scripts/fuzz_keras.py FOLDER

Keras (3.15) runs on JAX. Cases with random layers are compared with these turned off on both sides, so they are left out.
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax  # noqa: E402

jax.config.update("jax_enable_x64", True)
import keras  # noqa: E402
import numpy as np  # noqa: E402

keras.backend.set_floatx("float64")


def kind(config):
    """A layer's name and settings: {"Dense": {…}}, or just "Flatten"."""
    if isinstance(config, str):
        return config, {}
    ((name, settings),) = config.items()
    return name, dict(settings)


def with_activation(settings):
    """A function for an activation that has settings, where Keras takes names or functions."""
    value = settings.get("activation")
    if isinstance(value, dict):
        ((name, options),) = value.items()
        settings["activation"] = lambda x: getattr(keras.activations, name)(x, **options)
    return settings


class Builder:
    """Turns a recipe's network into Keras layers, and collects the weights in the order of their names."""

    def __init__(self, weights):
        self.weights = weights
        self.assigned = []  # (name of the weight, Keras variable, how its gradient is shaped)

    def functional(self, settings, prefix, tensors):
        values = list(tensors)
        made = []
        for number, node in enumerate(settings["nodes"]):
            operands = [values[index] for index in node["inputs"]]
            if "shares" in node:
                apply = made[node["shares"]]
            else:
                apply = self.layer(node["layer"], f"{prefix}layers.{number}.")
            made.append(apply)
            values.append(apply(operands))
        return values[settings["output"]]

    def layer(self, config, prefix):
        name, settings = kind(config)
        if name == "Functional":
            return lambda operands: self.functional(settings, prefix, operands)
        if name == "Sequential":
            parts = [self.layer(part, f"{prefix}layers.{number}.") for number, part in enumerate(settings["layers"])]

            def chain(operands):
                for part in parts:
                    operands = [part(operands)]
                return operands[0]

            return chain
        settings = with_activation(settings)
        settings.pop("synchronized", None)
        for key, value in list(settings.items()):
            if key.endswith("initializer"):
                settings.pop(key)  # Values come from the file.
        keras_layer = getattr(keras.layers, name)(**settings)
        state = {"built": False}

        def apply(operands):
            if name == "MultiHeadAttention":
                result = keras_layer(*operands)  # Queries and values are arguments of their own.
            else:
                result = keras_layer(operands if len(operands) > 1 else operands[0])
            if not state["built"]:
                state["built"] = True
                self.assign(keras_layer, prefix)
            return result

        return apply

    def assign(self, layer, prefix):
        """Weights of ours and of Keras' layer lie in the same order, and have the same number of elements."""
        ours = [name for name in self.weights if name.startswith(prefix)]
        theirs = {}
        for variable in layer.weights:
            theirs.setdefault(variable.path.split("/")[-1], []).append(variable)
        if isinstance(layer, keras.layers.MultiHeadAttention):
            parts = {"query": layer.query_dense, "key": layer.key_dense, "value": layer.value_dense, "output": layer.output_dense}
            for name in ours:
                part = next(dense for key, dense in parts.items() if key in name.lower())
                self.put(name, part.kernel if name.endswith("kernel") else part.bias)
            return
        words = {
            "weight": ["kernel", "embeddings"], "kernel": ["kernel"], "bias": ["bias"], "gamma": ["gamma"], "beta": ["beta"],
            "movingMean": ["moving_mean"], "movingVariance": ["moving_variance"], "alpha": ["alpha"],
            "embeddings": ["embeddings"], "scale": ["gamma"], "offset": ["beta"],
        }
        for name in ours:
            last = name.split(".")[-1]
            found = [v for word in words.get(last, [last]) for v in theirs.get(word, [])]
            if len(found) != 1:
                raise KeyError(f"no weight of {layer.name} for {name}: {sorted(theirs)}")
            self.put(name, found[0])

    def put(self, name, variable):
        value = self.weights[name]
        variable.assign(np.reshape(value, variable.shape))
        self.assigned.append((name, variable))


LOSSES = {
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
    "mean_squared_error": keras.losses.MeanSquaredError,
    "mean_absolute_error": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
}


def compare(folder):
    recipe = json.load(open(os.path.join(folder, "recipe.json")))
    name, settings = kind(recipe["layers"][0])
    text = json.dumps(recipe["layers"])
    if any(f'"{name}' in text for name in ("Dropout", "Random", "MixUp", "CutMix", "Solarization", "AutoContrast")):
        return None
    data = np.load(os.path.join(folder, "data.npz"))
    weights = dict(np.load(os.path.join(folder, "weights.npz")))
    expected = np.load(os.path.join(folder, "gradients.npz"))
    inputs = [
        keras.Input(spec["shape"], dtype="int32" if spec["dtype"] == "int32" else "float64") for spec in settings["inputs"]]
    builder = Builder(weights)
    output = builder.functional(settings, "", inputs)
    model = keras.Model(inputs, output)
    features = [np.asarray(data[f"x{i}"], "int32" if s["dtype"] == "int32" else "float64") for i, s in enumerate(settings["inputs"])]
    loss = LOSSES[kind(recipe["compile"]["loss"])[0]]()
    rate = 1.0
    model.compile(optimizer=keras.optimizers.SGD(rate), loss=loss)
    before = {name: keras.ops.convert_to_numpy(variable) for name, variable in builder.assigned}
    history = model.fit(features, data["y"], batch_size=len(data["y"]), shuffle=False, verbose=0)
    worst = (abs(history.history["loss"][0] - float(expected["loss"])) / max(1, abs(float(expected["loss"]))), "loss")
    size = max([0.01] + [np.abs(expected[name]).max() for name, _ in builder.assigned if expected[name].size])
    for name, variable in builder.assigned:
        gradient = (before[name] - keras.ops.convert_to_numpy(variable)).reshape(expected[name].shape)
        if gradient.size:
            worst = max(worst, (np.abs(gradient - expected[name]).max() / size, name))
    return worst


def main():
    folder = sys.argv[1]
    failures = compared = left = 0
    for case in sorted(os.listdir(folder), key=lambda name: int(name.split("-")[1])):
        keras.utils.clear_session(free_memory=True)
        worst = compare(os.path.join(folder, case))
        if worst is None:
            left += 1
            continue
        compared += 1
        if not worst[0] < 2e-3:
            failures += 1
            print(f"{case}: {worst[1]} differs by {worst[0]:.2e}")
    print(f"{compared} networks compared with Keras in float64, {failures} differ; {left} with random layers left out")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
