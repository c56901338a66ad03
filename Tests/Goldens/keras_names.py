"""Writes data/keras_names.json: the public names of Keras' modules that the catalogs are held against."""
import inspect
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras


def classes(module, base):
    found = {n for n in dir(module) if inspect.isclass(getattr(module, n)) and issubclass(getattr(module, n), base)}
    return sorted(found - {base.__name__})


names = {
    "layer": classes(keras.layers, keras.layers.Layer),
    "loss": classes(keras.losses, keras.losses.Loss),
    "metric": classes(keras.metrics, keras.metrics.Metric),
    "optimizer": classes(keras.optimizers, keras.optimizers.Optimizer),
    "schedule": classes(keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
    "initializer": classes(keras.initializers, keras.initializers.Initializer),
    "regularizer": classes(keras.regularizers, keras.regularizers.Regularizer),
    "constraint": classes(keras.constraints, keras.constraints.Constraint),
    "activation": sorted(n for n in dir(keras.activations) if inspect.isfunction(getattr(keras.activations, n))),
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "keras_names.json")
with open(path, "w") as file:
    json.dump({"version": keras.__version__, "names": names}, file, indent=1)
    file.write("\n")
