"""Accuracy of the recipes on Examples/Recipes/reviews beside Keras with the same layers, over seeds of weights and splits.

    python Benchmarks/text_accuracy.py [--seeds 5] [--program .build/release/accelerando]

Needs Keras with TensorFlow. Both get the same number of epochs, the same optimizer, and a fifth of each class to validate on, which
each draws by itself.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RECIPES = os.path.join(ROOT, "Examples", "Recipes")
EPOCHS = {"reviews-gru": 8, "reviews-transformer": 12}


def keras_model(name, vectorize):
    import keras
    from keras import layers

    words = keras.Input((1,), dtype="string")
    x = vectorize(words)
    if name == "reviews-gru":
        x = layers.Embedding(400, 16, mask_zero=True)(x)
        x = layers.GRU(16)(x)
    else:
        x = layers.Embedding(400, 16)(x)
        x = layers.Conv1D(16, 3, padding="same", activation="relu")(x)
        y = layers.MultiHeadAttention(2, 8)(x, x)
        x = layers.LayerNormalization()(layers.Add()([x, y]))
        y = layers.Dense(16)(layers.Dense(32, activation="relu")(x))
        x = layers.LayerNormalization()(layers.Add()([x, y]))
        x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(words, layers.Dense(2, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01 if name == "reviews-gru" else 0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def by_keras(name, seed):
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    draw, train, test = random.Random(seed), [], []
    for label, kind in enumerate(["kind", "unkind"]):
        lines = open(os.path.join(RECIPES, "reviews", kind + ".txt")).read().splitlines()
        draw.shuffle(lines)
        cut = len(lines) // 5
        test += [(line, label) for line in lines[:cut]]
        train += [(line, label) for line in lines[cut:]]
    draw.shuffle(train)
    vectorize = keras.layers.TextVectorization(max_tokens=400, output_sequence_length=20)
    vectorize.adapt([line for line, _ in train])
    x, y = ([tf.constant([[line] for line, _ in part]) for part in (train, test)], [np.array([label for _, label in part]) for part in (train, test)])
    model = keras_model(name, vectorize)
    model.fit(x[0], y[0], epochs=EPOCHS[name], batch_size=32, verbose=0)
    return model.evaluate(x[1], y[1], verbose=0)[1]


def by_accelerando(program, name, seed):
    text = open(os.path.join(RECIPES, name + ".yaml")).read()
    text = text.replace("fit:\n", f"fit:\n  seed: {seed}\n").replace("  stratify:", f"  split_seed: {seed}\n  stratify:")
    text = text.replace("text: reviews", f"text: {os.path.join(RECIPES, 'reviews')}")
    with tempfile.TemporaryDirectory() as folder:
        recipe = os.path.join(folder, name + ".yaml")
        open(recipe, "w").write(text)
        out = subprocess.run([program, "train", recipe, "--json", "-"], capture_output=True, text=True, check=True).stdout
    result = json.loads(out[out.index("{"):])
    return result["epochs"][-1]["val_accuracy"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--program", default=os.path.join(ROOT, ".build/release/accelerando"))
    parser.add_argument("--recipe", choices=list(EPOCHS))
    parser.add_argument("--only", choices=["keras", "accelerando"])
    options = parser.parse_args()
    for name in [options.recipe] if options.recipe else EPOCHS:
        for who, run in [("keras", by_keras), ("accelerando", lambda n, s: by_accelerando(options.program, n, s))]:
            if options.only in (None, who):
                found = [run(name, seed) for seed in range(options.seeds)]
                print(f"{name:20} {who:12} {statistics.mean(found):.4f} ± {statistics.pstdev(found):.4f}  {' '.join(f'{v:.3f}' for v in found)}", flush=True)


main()
