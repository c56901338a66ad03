"""Images that are read: as Keras' image_dataset_from_directory resizes them."""
import numpy as np
import tensorflow as tf
from keras.src.utils import image_utils

from .archive import Archive
from .seeded import Seeded


def archive():
    made = Archive("images")
    image = Seeded("images").integers(11, 17, 3, high=256).astype(np.uint8)
    for method in ("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5"):
        for size in ((23, 20), (5, 17), (4, 3)):
            resized = tf.image.resize(image.astype(np.float32), size, method=method)
            made.add(
                f"{method}/{size[0]}x{size[1]}", "resize", {"interpolation": method, "aspect_ratio": "stretch", "size": size},
                {"image": image, "result": np.asarray(resized)})
    for size in ((20, 20), (6, 4), (8, 40)):
        for way, option in (("crop", image_utils.smart_resize), ("pad", None)):
            if option:
                resized = option(tf.constant(image.astype(np.float32)), size, interpolation="bilinear")
            else:
                resized = padded(image.astype(np.float32), size)
            made.add(
                f"{way}/{size[0]}x{size[1]}", "resize", {"interpolation": "bilinear", "aspect_ratio": way, "size": size},
                {"image": image, "result": np.asarray(resized, np.float32)})
    return made


def padded(image, size):
    """What Keras' loader does with pad_to_aspect_ratio."""
    from keras.src import backend

    return backend.image.resize(
        tf.constant(image), size, interpolation="bilinear", pad_to_aspect_ratio=True, data_format="channels_last")
