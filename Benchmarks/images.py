"""Images from a folder: how many a second come to the model, in the first epoch (decoded, resized, flipped, cropped) and from
the cache. Beside tf.data with Keras' image_dataset_from_directory, and PyTorch's DataLoader with Pillow.

    python3 Benchmarks/images.py --program .build/release/accelerando --keras-python PYTHON --torch-python PYTHON

The Pythons need tensorflow and keras, and torch, pillow and numpy. 20,000 JPEGs of 128 × 128 are made in a temporary directory by
the second one. Each contestant is a process of its own; medians of the repeats count. Ours trains a model that has almost nothing
to compute, so that its time is that of the images; the peers only fetch batches. The peers' cache is what they offer: tf.data's
cache() behind resizing, and a list of arrays in PyTorch.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

MAKE = """
import sys, os, numpy as np
from PIL import Image
folder, count = sys.argv[1], int(sys.argv[2])
generator = np.random.default_rng(0)
y, x = np.mgrid[:128, :128]
for index in range(count):
    place = os.path.join(folder, f"class{index % 10}")
    os.makedirs(place, exist_ok=True)
    waves = np.stack([128 + 100 * np.sin(x / (5 + (index + c) % 7) + y / (9 + index % 5) + index * (c + 1)) for c in range(3)], -1)
    pixels = (waves + generator.normal(0, 10, waves.shape)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(os.path.join(place, f"{index:05}.jpg"), quality=90)
"""

KERAS = """
import sys, time, os, json
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf, keras
folder, epochs = sys.argv[1], int(sys.argv[2])
data = keras.utils.image_dataset_from_directory(folder, image_size=(112, 112), batch_size=None, shuffle=False, verbose=0)
count = int(data.cardinality())
data = data.map(lambda x, y: (tf.cast(x, tf.uint8), y), num_parallel_calls=tf.data.AUTOTUNE).cache()
def change(x, y):
    return tf.image.random_crop(tf.image.random_flip_left_right(x), (96, 96, 3)), y
data = data.shuffle(2000).map(change, num_parallel_calls=tf.data.AUTOTUNE).batch(128).prefetch(tf.data.AUTOTUNE)
seconds = []
for _ in range(epochs):
    start = time.perf_counter()
    for x, y in data: pass
    seconds.append(time.perf_counter() - start)
print(json.dumps({"count": count, "seconds": seconds}))
"""

TORCH = """
import sys, os, time, json, numpy as np, torch
from PIL import Image
folder, epochs, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
files = [(os.path.join(folder, c, f), i) for i, c in enumerate(sorted(os.listdir(folder))) for f in sorted(os.listdir(os.path.join(folder, c)))]
class Images(torch.utils.data.Dataset):
    kept = {}
    def __len__(self): return len(files)
    def __getitem__(self, index):
        if index not in self.kept:
            image = Image.open(files[index][0]).convert("RGB").resize((112, 112), Image.BILINEAR)
            self.kept[index] = np.asarray(image)
        x = self.kept[index]
        if torch.rand(()) < 0.5: x = x[:, ::-1]
        top, left = torch.randint(0, 17, (2,)).tolist()
        return torch.from_numpy(np.ascontiguousarray(x[top:top + 96, left:left + 96])), files[index][1]
loader = torch.utils.data.DataLoader(Images(), batch_size=128, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
seconds = []
for _ in range(epochs):
    start = time.perf_counter()
    for x, y in loader: pass
    seconds.append(time.perf_counter() - start)
print(json.dumps({"count": len(files), "seconds": seconds}))
"""

RECIPE = """
data:
  images: {folder}
  image_size: [112, 112]
layers:
  - RandomFlip: {{mode: horizontal}}
  - RandomCrop: {{height: 96, width: 96}}
  - AveragePooling2D: {{pool_size: 32}}
  - Flatten
  - Dense: {{units: 10, activation: softmax}}
compile: {{optimizer: sgd, loss: sparse_categorical_crossentropy}}
fit: {{epochs: {epochs}, batch_size: 128}}
"""


def ours(options, folder, epochs):
    with tempfile.TemporaryDirectory() as place:
        recipe = os.path.join(place, "images.yaml")
        with open(recipe, "w") as file:
            file.write(RECIPE.format(folder=folder, epochs=epochs))
        log = os.path.join(place, "epochs.jsonl")
        subprocess.run([options.program, "train", recipe, "--json", log], check=True, stdout=subprocess.DEVNULL)
        with open(log) as file:
            return [json.loads(line)["seconds"] for line in file if line.strip()]


def peer(python, code, *arguments):
    done = subprocess.run([python, "-c", code, *map(str, arguments)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=".build/release/accelerando")
    parser.add_argument("--keras-python")
    parser.add_argument("--torch-python")
    parser.add_argument("--folder", help="where the images are, or will be made")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    folder = options.folder or os.path.join(tempfile.gettempdir(), f"accelerando-images-{options.count}")
    if not os.path.isdir(folder):
        subprocess.run([options.torch_python or sys.executable, "-c", MAKE, folder, str(options.count)], check=True)
    contestants = {"Accelerando": lambda: ours(options, folder, 3)}
    if options.keras_python:
        contestants["tf.data and Keras"] = lambda: peer(options.keras_python, KERAS, folder, 3)
    if options.torch_python:
        for workers in (0, 2):
            contestants[f"DataLoader, {workers} workers"] = (
                lambda workers=workers: peer(options.torch_python, TORCH, folder, 3, workers))
    rates = {name: [] for name in contestants}
    for _ in range(options.repeats):
        for name, run in contestants.items():
            seconds = run()
            rates[name].append((options.count / seconds[0], options.count / min(seconds[1:])))
            print(f"{name}: {rates[name][-1][0]:,.0f} and {rates[name][-1][1]:,.0f} images a second", flush=True)
    print("\n| | first epoch, images/s | from the cache, images/s |\n|---|---|---|")
    for name, pairs in rates.items():
        first, later = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        print(f"| {name} | {first:,.0f} | {later:,.0f} |")


main()
