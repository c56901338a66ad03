"""Losses: the scalar and its gradient with respect to the prediction. `loss` = Σ(weight·l)/N unless `reduction` says otherwise."""
import keras
import numpy as np
import tensorflow as tf

from .archive import Archive
from .plain import plain
from .seeded import Seeded

ROWS, CLASSES = 6, 4


def record(made, name, loss, y_true, y_pred, sample_weight=None, logits=None, extra=None):
    """`logits`: with it the prediction is its softmax by Keras, which TensorFlow's cross-entropies recognise and undo."""
    source = tf.constant(y_pred if logits is None else logits)
    with tf.GradientTape() as tape:
        tape.watch(source)
        prediction = source if logits is None else keras.activations.softmax(source)
        value = loss(y_true, prediction, sample_weight=sample_weight)
    gradient = tape.gradient(value, source).numpy()
    tensors = {"y_true": y_true, "loss": value.numpy()}
    if logits is None:
        tensors |= {"y_pred": y_pred, "d_y_pred": gradient}
    else:
        tensors |= {"logits": logits, "y_pred": prediction.numpy(), "d_logits": gradient}
    if sample_weight is not None:
        tensors["sample_weight"] = sample_weight
    made.add(name, type(loss).__name__, plain(loss.get_config()) | (extra or {}), tensors)


def both(made, name, make, y_true, y_pred, **options):
    """With sample weights (one of them 0) and without."""
    weight = Seeded(f"{name}:weight").uniform(*(y_true.shape[:-1] if y_true.ndim > 1 else y_true.shape), high=2.0)
    weight.reshape(-1)[-1] = 0
    record(made, name, make(), y_true, y_pred, **options)
    record(made, f"{name}/weighted", make(), y_true, y_pred, sample_weight=weight, **options)


def cross_entropies(made):
    losses = keras.losses
    labels = Seeded("losses/labels").integers(ROWS, high=CLASSES)
    one_hot = np.eye(CLASSES, dtype=np.float32)[labels]
    soft = Seeded("losses/soft").probabilities(ROWS, CLASSES)
    p, logits = Seeded("losses/p").probabilities(ROWS, CLASSES), Seeded("losses/logits").normal(ROWS, CLASSES, scale=3.0)
    extreme = np.float32([[60, 0, 0, 0], [0, 60, -60, 0], [-100, 0, 30, 0], [1, 1, 1, 1], [0, 0, 0, 90], [-3, 3, 0, 1]])
    certain = np.float32([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.25] * 4, [0, 0, 0, 1], [0, 0.5, 0.5, 0]])
    unnormalised, large = (Seeded(f"losses/below{high}").uniform(ROWS, CLASSES, low=0.1, high=high) for high in (0.9, 2.0))
    for ending, from_logits, pred in (("probabilities", False, p), ("logits", True, logits), ("logits/extreme", True, extreme),
                                      ("probabilities/certain", False, certain), ("probabilities/unnormalised", False, unnormalised),
                                      ("probabilities/above_one", False, large)):
        both(made, f"sparse_categorical/{ending}", lambda: losses.SparseCategoricalCrossentropy(from_logits=from_logits), labels, pred)
        both(made, f"categorical/{ending}", lambda: losses.CategoricalCrossentropy(from_logits=from_logits), one_hot, pred)
    softmax = {"prediction_is_softmax_of_logits": True}
    for ending, z in (("", logits), ("/extreme", extreme)):
        both(made, f"sparse_categorical/softmax_output{ending}", losses.SparseCategoricalCrossentropy, labels, None, logits=z, extra=softmax)
        both(made, f"categorical/softmax_output{ending}", losses.CategoricalCrossentropy, one_hot, None, logits=z, extra=softmax)
    record(made, "sparse_categorical/known", losses.SparseCategoricalCrossentropy(), np.int32([1, 2]),
           np.float32([[0.05, 0.95, 0], [0.1, 0.8, 0.1]]))
    record(made, "sparse_categorical/known/weighted", losses.SparseCategoricalCrossentropy(), np.int32([1, 2]),
           np.float32([[0.05, 0.95, 0], [0.1, 0.8, 0.1]]), sample_weight=np.float32([0.3, 0.7]))
    record(made, "sparse_categorical/column_labels", losses.SparseCategoricalCrossentropy(), labels[:, None], p)
    record(made, "sparse_categorical/ignore_class", losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=int(labels[0])), labels, logits)
    long = Seeded("losses/long").normal(2, 3, CLASSES)
    steps = Seeded("losses/steps").integers(2, 3, high=CLASSES)
    for reduction in ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight"):
        make = losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
        record(made, f"sparse_categorical/rank3/{reduction}", make, steps, long)
        record(made, f"sparse_categorical/rank3/{reduction}/weighted", make, steps, long, sample_weight=np.float32([[1, 2, 0], [0.5, 0, 0]]))
    ignoring = np.where(steps == 1, 255, steps).astype(np.int32)
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
        make = losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction, ignore_class=255)
        record(made, f"sparse_categorical/rank3/ignore_class/{reduction}", make, ignoring, long)
        record(made, f"sparse_categorical/rank3/ignore_class/{reduction}/weighted", make, ignoring, long,
               sample_weight=np.float32([[1, 2, 0], [0.5, 0, 3]]))
    for smoothing in (0.1, 0.3):
        for ending, from_logits, pred in (("probabilities", False, p), ("logits", True, logits)):
            both(made, f"categorical/{ending}/smoothing{smoothing}",
                 lambda: losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=smoothing), one_hot, pred)
    both(made, "categorical/probabilities/soft_labels", losses.CategoricalCrossentropy, soft, p)
    both(made, "categorical/logits/soft_labels", lambda: losses.CategoricalCrossentropy(from_logits=True), soft, logits)


def binary(made):
    for shape in ((ROWS, 1), (ROWS, 3)):
        name = f"binary/columns{shape[1]}"
        truth = Seeded(name).integers(*shape, high=2).astype(np.float32)
        p, logits = Seeded(f"{name}/p").uniform(*shape, low=0.02, high=0.98), Seeded(f"{name}/logits").normal(*shape, scale=3.0)
        certain = np.round(Seeded(f"{name}/certain").uniform(*shape))
        extreme = Seeded(f"{name}/extreme").normal(*shape, scale=60.0)
        for ending, from_logits, pred in (("probabilities", False, p), ("logits", True, logits), ("logits/extreme", True, extreme),
                                          ("probabilities/certain", False, certain)):
            both(made, f"{name}/{ending}", lambda: keras.losses.BinaryCrossentropy(from_logits=from_logits), truth, pred)
        for ending, from_logits, pred in (("probabilities", False, p), ("logits", True, logits)):
            both(made, f"{name}/{ending}/smoothing0.2",
                 lambda: keras.losses.BinaryCrossentropy(from_logits=from_logits, label_smoothing=0.2), truth, pred)


def regression(made):
    losses = keras.losses
    for shape in ((ROWS, 1), (ROWS, 3), (3, 2, 4)):
        name = "x".join(map(str, shape))
        truth, pred = Seeded(f"truth/{name}").normal(*shape), Seeded(f"pred/{name}").normal(*shape, scale=1.5)
        both(made, f"mean_squared_error/{name}", losses.MeanSquaredError, truth, pred)
        both(made, f"mean_absolute_error/{name}", losses.MeanAbsoluteError, truth, pred)
        both(made, f"huber/{name}", losses.Huber, truth, pred, extra={"delta": 1.0})
        both(made, f"huber/{name}/delta0.5", lambda: losses.Huber(delta=0.5), truth, pred, extra={"delta": 0.5})
    flat, column = Seeded("truth/flat").normal(ROWS), Seeded("pred/column").normal(ROWS, 1)
    record(made, "mean_squared_error/flat_labels", losses.MeanSquaredError(), flat, column)
    equal = np.float32([[1, 2], [3, 4]])
    record(made, "mean_absolute_error/equal", losses.MeanAbsoluteError(), equal, equal)
    record(made, "huber/at_delta", losses.Huber(), np.zeros((1, 4), np.float32), np.float32([[-1, 1, 0, 2]]), extra={"delta": 1.0})


def others(made):
    losses = keras.losses
    for shape in ((ROWS, 3), (3, 2, 4)):
        name = "x".join(map(str, shape))
        truth, pred = Seeded(f"others/truth/{name}").normal(*shape), Seeded(f"others/pred/{name}").normal(*shape)
        both(made, f"log_cosh/{name}", losses.LogCosh, truth, pred)
        both(made, f"cosine_similarity/{name}", losses.CosineSimilarity, truth, pred)
        both(made, f"mean_absolute_percentage_error/{name}", losses.MeanAbsolutePercentageError, truth, pred)
        both(made, f"mean_squared_logarithmic_error/{name}", losses.MeanSquaredLogarithmicError, abs(truth), abs(pred))
        both(made, f"poisson/{name}", losses.Poisson, np.floor(abs(truth) * 3), abs(pred) + np.float32(0.1))
        signs, bits = np.sign(truth), (truth > 0).astype(np.float32)
        for kind, make in (("hinge", losses.Hinge), ("squared_hinge", losses.SquaredHinge)):
            both(made, f"{kind}/{name}", make, signs, pred)
            both(made, f"{kind}/{name}/bits", make, bits, pred)
        labels = Seeded(f"others/labels/{name}").integers(*shape[:-1], high=shape[-1])
        one_hot = np.eye(shape[-1], dtype=np.float32)[labels]
        p, soft = Seeded(f"others/p/{name}").probabilities(*shape), Seeded(f"others/soft/{name}").probabilities(*shape)
        both(made, f"categorical_hinge/{name}", losses.CategoricalHinge, one_hot, pred)
        both(made, f"kl_divergence/{name}", losses.KLDivergence, soft, p)
        both(made, f"categorical_focal/{name}", losses.CategoricalFocalCrossentropy, one_hot, p)
        both(made, f"categorical_focal/{name}/options", lambda: losses.CategoricalFocalCrossentropy(
            alpha=0.5, gamma=1.5, from_logits=True, label_smoothing=0.1), one_hot, pred)
        record(made, f"categorical_generalized/{name}", losses.CategoricalGeneralizedCrossEntropy(), labels, p)
        both(made, f"binary_focal/{name}", losses.BinaryFocalCrossentropy, bits, p)
        both(made, f"binary_focal/{name}/options", lambda: losses.BinaryFocalCrossentropy(
            apply_class_balancing=True, alpha=0.3, gamma=1.5, from_logits=True, label_smoothing=0.1), bits, pred)
        record(made, f"dice/{name}", losses.Dice(), bits, p)
        record(made, f"dice/{name}/axis", losses.Dice(axis=tuple(range(1, len(shape)))), bits, p)
        record(made, f"tversky/{name}", losses.Tversky(alpha=0.3, beta=0.8), bits, p)
        record(made, f"tversky/{name}/axis", losses.Tversky(axis=-1), bits, p)
    for reduction in ("sum", "mean", "mean_with_sample_weight"):
        for shape in ((ROWS, 3), (3, 2, 4)):
            name = "x".join(map(str, shape))
            truth, pred = Seeded(f"others/truth/{name}").normal(*shape), Seeded(f"others/pred/{name}").normal(*shape)
            both(made, f"mean_squared_error/{name}/{reduction}", lambda: losses.MeanSquaredError(reduction=reduction), truth, pred)
            record(made, f"cosine_similarity/{name}/{reduction}", losses.CosineSimilarity(axis=1, reduction=reduction), truth, pred,
                   extra={"axis": 1})
            record(made, f"dice/{name}/{reduction}", losses.Dice(reduction=reduction), abs(truth) / 4, abs(pred) / 4)
            record(made, f"dice/{name}/axis/{reduction}", losses.Dice(axis=-1, reduction=reduction), abs(truth) / 4, abs(pred) / 4)
    record(made, "cosine_similarity/axis1", losses.CosineSimilarity(axis=1), Seeded("others/a").normal(3, 2, 4), Seeded("others/b").normal(3, 2, 4),
           extra={"axis": 1})
    x = Seeded("others/circle").normal(8, 4)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    for name, options in {"circle": {}, "circle/options": dict(gamma=10.0, margin=0.2, remove_diagonal=False)}.items():
        record(made, name, losses.Circle(**options), np.int32([0, 1, 0, 2, 1, 0, 3, 2]), x)
    spoken = np.int32([[1, 2, 2, 0], [3, 0, 0, 0], [2, 1, 3, 1]])
    record(made, "circle/sum", losses.Circle(reduction="sum"), np.int32([0, 1, 0, 2, 1, 0, 3, 2]), x)
    record(made, "circle/weighted", losses.Circle(reduction="mean_with_sample_weight"), np.int32([0, 1, 0, 2, 1, 0, 3, 2]), x,
           sample_weight=np.float32([1, 2, 0.5, 0, 1, 3, 1, 1]))
    record(made, "ctc/sum", losses.CTC(reduction="sum"), np.int32([[1, 2, 2, 0], [3, 0, 0, 0], [2, 1, 3, 1]]), Seeded("others/ctc").normal(3, 9, 4))
    record(made, "ctc", losses.CTC(), spoken, Seeded("others/ctc").normal(3, 9, 4))


def masked(made):
    """The mask of a prediction, with weights of places and without."""
    y_true, y_pred = Seeded("losses/masked/truth").normal(3, 4, 2), Seeded("losses/masked/pred").normal(3, 4, 2)
    mask = Seeded("losses/masked").uniform(3, 4) < 0.6
    weight = Seeded("losses/masked/weight").uniform(3, 4, high=2.0)
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
        for weighted in (False, True):
            loss = keras.losses.MeanSquaredError(reduction=reduction)
            source = tf.constant(y_pred)
            keras.src.backend.set_keras_mask(source, tf.constant(mask))
            with tf.GradientTape() as tape:
                tape.watch(source)
                value = loss(y_true, source, sample_weight=weight if weighted else None)
            tensors = {"y_true": y_true, "y_pred": y_pred, "mask": mask, "loss": value.numpy(),
                       "d_y_pred": tape.gradient(value, source).numpy()}
            if weighted:
                tensors["sample_weight"] = weight
            made.add(f"masked/{reduction}{'/weighted' if weighted else ''}", "MeanSquaredError", plain(loss.get_config()), tensors)


def archive():
    made = Archive("losses")
    cross_entropies(made)
    binary(made)
    regression(made)
    others(made)
    masked(made)
    return made
