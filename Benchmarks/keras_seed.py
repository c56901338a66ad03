"""Trains a seed model with Keras and prints one JSON object a line for each epoch, as `accelerando train --json -` does.

usage: keras_seed.py mlp|cnn DATA_DIRECTORY EPOCHS
"""

import gzip
import json
import os
import sys
import time

started = time.perf_counter()
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402

import_seconds = time.perf_counter() - started


def read_idx(directory, name):
    with gzip.open(os.path.join(directory, name + ".gz"), "rb") as file:
        content = file.read()
    rank = content[3]
    shape = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(rank)]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(directory, part):
    images = read_idx(directory, f"{part}-images-idx3-ubyte").astype("float32") / 255
    return images[..., None], read_idx(directory, f"{part}-labels-idx1-ubyte").astype("int32")


class EpochLines(keras.callbacks.Callback):
    """Times the training steps alone, without validation."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_test_begin(self, logs=None):
        self.seconds = time.perf_counter() - self.start

    def on_epoch_end(self, epoch, logs=None):
        line = {"epoch": epoch + 1, "seconds": self.seconds, "import_seconds": import_seconds}
        print(json.dumps(line | {name: float(value) for name, value in logs.items()}), flush=True)


def main(name, directory, epochs):
    layers = [keras.layers.Input((28, 28, 1))]
    if name == "cnn":
        layers += [keras.layers.Conv2D(32, 3, activation="relu"), keras.layers.MaxPooling2D(2), keras.layers.Flatten()]
    else:
        layers += [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu")]
    model = keras.Sequential(layers + [keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        *load(directory, "train"), batch_size=32, epochs=epochs, validation_data=load(directory, "t10k"),
        callbacks=[EpochLines()], verbose=0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
