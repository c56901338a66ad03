"""Images: how Keras' image_dataset_from_directory resizes them, and what its random layers do with drawn numbers."""
import keras
import numpy as np
import tensorflow as tf
from keras.src.utils import image_utils

from .archive import Archive
from .seeded import Seeded


def archive():
    made = Archive("images")
    image = Seeded("images").integers(11, 17, 3, high=256).astype(np.uint8)
    for method in ("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5"):
        for size in ((13, 19), (5, 17), (4, 3)):
            resized = tf.image.resize(image.astype(np.float32), size, method=method)
            made.add(
                f"{method}/{size[0]}x{size[1]}", "resize", {"interpolation": method, "aspect_ratio": "stretch", "size": size},
                {"image": image, "result": np.asarray(resized)})
    for size in ((14, 14), (6, 4), (4, 20)):
        for way, option in (("crop", image_utils.smart_resize), ("pad", None)):
            if option:
                resized = option(tf.constant(image.astype(np.float32)), size, interpolation="bilinear")
            else:
                resized = padded(image.astype(np.float32), size)
            made.add(
                f"{way}/{size[0]}x{size[1]}", "resize", {"interpolation": "bilinear", "aspect_ratio": way, "size": size},
                {"image": image, "result": np.asarray(resized, np.float32)})
    augmentations(made)
    return made


def padded(image, size):
    """What Keras' loader does with pad_to_aspect_ratio."""
    from keras.src import backend

    return backend.image.resize(
        tf.constant(image), size, interpolation="bilinear", pad_to_aspect_ratio=True, data_format="channels_last")

def augmentations(made):
    """What Keras' random layers do once their numbers are drawn."""
    layers = keras.layers
    image = Seeded("images/float").uniform(3, 7, 9, 3, low=0, high=255)
    flat = image[:, :, :, :1].copy()
    little = image[:, :5, :6, :2].copy()
    matrices = {
        "shift": [[1, 0, 1.7, 0, 1, -2.4], [1, 0, -12.3, 0, 1, 9.6], [1, 0, 0, 0, 1, 0]],
        "turn": [[0.8, -0.6, 2.2, 0.6, 0.8, -1.1], [-1, 0, 8, 0, -1, 6], [0.2, 1.9, -7, -1.4, 0.3, 11]],
        "stretch": [[1.9, 0, -4, 0, 1.8, -2.7], [0.4, 0, 2.4, 0, 0.5, 1.5], [3.1, 0.2, -9, 0.1, 2.9, -8]],
    }
    for name, rows in matrices.items():
        matrix = np.asarray(rows, np.float32)
        eight = np.concatenate([matrix, np.zeros((3, 2), np.float32)], 1)
        for mode in ("constant", "nearest", "reflect", "wrap"):
            for way in ("nearest", "bilinear"):
                y = keras.ops.image.affine_transform(little, eight, interpolation=way, fill_mode=mode, fill_value=7.0)
                made.add(
                    f"warp/{name}/{mode}/{way}", "warp", {"fill_mode": mode, "interpolation": way, "fill_value": 7.0},
                    {"x": little, "matrix": matrix, "y": np.asarray(y)})

    def add(kind, layer, images, transformation, **numbers):
        y = layer.transform_images(tf.constant(images), transformation, training=True)
        arrays = {key: np.asarray(value, np.float32) for key, value in numbers.items()}
        made.add(kind, kind, {}, {"x": images, "y": np.asarray(y, np.float32), **arrays})

    angle = np.asarray([17.0, -80.0, 190.0], np.float32)
    turn = layers.RandomRotation(0.5)
    zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    matrix = turn._compute_affine_matrix(
        center_x=0.5, center_y=0.5, angle=tf.constant(angle), translate_x=zeros, translate_y=zeros, scale=ones, shear_x=zeros,
        shear_y=zeros, height=7, width=9)
    made.add("rotation", "rotation", {}, {"x": image, "angle": angle * np.float32(np.pi / 180), "y": np.asarray(matrix)[:, :6]})
    zooms = np.asarray([[0.7, 1.2], [1.4, 0.9], [1, 1]], np.float32)
    made.add("zoom", "zoom", {}, {
        "x": image, "width": zooms[:, 0].copy(), "height": zooms[:, 1].copy(),
        "y": np.asarray(layers.RandomZoom(0.5)._get_zoom_matrix(tf.constant(zooms), 7, 9))[:, :6]})
    factor = np.asarray([0.4, 1.7, 1.0], np.float32)
    spread = factor.reshape(3, 1, 1, 1)
    add("brightness", layers.RandomBrightness(0.5), image, {"rgb_delta": spread * 100}, factor=factor * 100)
    add("contrast", layers.RandomContrast(0.5), image, {"contrast_factor": spread}, factor=factor)
    small = image / 255
    add("saturation", layers.RandomSaturation(0.5, value_range=(0, 1)), small, {"factor": tf.constant(factor)}, factor=factor)
    turns = np.asarray([0.3, -0.45, 0.02], np.float32)
    add("hue", layers.RandomHue(0.5, value_range=(0, 1)), small, {"factor": tf.constant(turns)}, factor=turns)
    add("grayscale", layers.RandomGrayscale(1.0), image, np.ones((3, 1, 1, 1), bool))
    add("posterization", layers.RandomPosterization(4), image, {"shift_factor": np.asarray([1, 4, 7], np.uint8)}, bits=[7, 4, 1])
    add("solarization", layers.Solarization(), image,
        {"additions": spread * 20, "thresholds": spread * 90}, addition=factor * 20, threshold=factor * 90)
    same = image.copy()
    same[1, :, :, 2] = 40
    add("auto_contrast", layers.AutoContrast(), same, None)
    add("auto_contrast/gray", layers.AutoContrast(), flat, None)
