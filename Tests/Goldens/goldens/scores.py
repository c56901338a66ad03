"""Scores of classifications, calibration and residuals as scikit-learn and NumPy compute them."""
import numpy as np
import sklearn.metrics as m
from sklearn.calibration import calibration_curve

from .archive import Archive


def held(values):
    """The nearest numbers that the file holds, in double precision."""
    return np.float64(np.float32(values))


def classes(made, name, truth, prediction, count):
    labels = list(range(count))
    each = m.precision_recall_fscore_support(truth, prediction, labels=labels, zero_division=0)
    averages = [
        m.precision_recall_fscore_support(truth, prediction, labels=labels, average=kind, zero_division=0)[:3]
        for kind in ("macro", "weighted")
    ]
    made.add(name, "classes", {"count": count}, {
        "truth": np.int32(truth), "prediction": np.int32(prediction),
        "confusion": np.int32(m.confusion_matrix(truth, prediction, labels=labels)),
        "scores": np.float32(each[:3]).T, "support": np.int32(each[3]), "averages": np.float32(averages),
        "accuracy": np.float32([m.accuracy_score(truth, prediction)]),
    })


def labels(made, name, truth, prediction):
    each = m.precision_recall_fscore_support(truth, prediction, average=None, zero_division=0)
    averages = [
        m.precision_recall_fscore_support(truth, prediction, average=kind, zero_division=0)[:3] for kind in ("micro", "macro")
    ]
    made.add(name, "labels", {}, {
        "truth": np.int32(truth), "prediction": np.int32(prediction), "scores": np.float32(each[:3]).T,
        "averages": np.float32(averages), "exact": np.float32([m.accuracy_score(truth, prediction)]),
    })


def calibration(made, name, truth, probability):
    right, mean = calibration_curve(truth, probability, n_bins=10)
    places = np.searchsorted(np.arange(1, 10) / 10, probability)
    counts = np.bincount(places, minlength=10)
    filled = counts[counts > 0]
    made.add(name, "calibration", {}, {
        "truth": np.int32(truth), "probability": np.float32(probability), "right": np.float32(right), "mean": np.float32(mean),
        "counts": np.int32(filled), "error": np.float32([np.sum(filled / len(truth) * np.abs(right - mean))]),
    })


def residuals(made, name, target, prediction):
    parts = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]
    made.add(name, "residuals", {}, {
        "target": np.float32(target), "prediction": np.float32(prediction), "parts": np.float32(parts),
        "quantiles": np.float32(np.quantile(prediction - target, parts)),
        "numbers": np.float32([
            m.mean_absolute_error(target, prediction), m.root_mean_squared_error(target, prediction),
            m.r2_score(target, prediction), np.mean(prediction - target),
        ]),
    })


def archive():
    made = Archive("scores")
    random = np.random.default_rng(7)
    truth = random.integers(0, 5, 200)
    classes(made, "classes", truth, np.where(random.random(200) < 0.6, truth, random.integers(0, 5, 200)), 5)
    classes(made, "classes/missing", [0, 0, 1, 3], [0, 1, 1, 1], 5)
    classes(made, "classes/binary", random.integers(0, 2, 50), random.integers(0, 2, 50), 2)
    labels(made, "labels", random.integers(0, 2, (60, 4)), random.integers(0, 2, (60, 4)))
    labels(made, "labels/empty", [[0, 1, 0], [0, 0, 0]], [[0, 1, 0], [1, 0, 0]])
    probability = held(random.random(300))
    calibration(made, "calibration", np.int32(random.random(300) < probability ** 1.5), probability)
    calibration(made, "calibration/edges", [0, 1, 1, 0, 1, 1], held([0.0, 0.5, 0.25, 1.0, 1.0, 0.62]))
    target = held(random.normal(3, 2, 101))
    residuals(made, "residuals", target, held(target + random.normal(0.2, 0.5, 101)))
    residuals(made, "residuals/equal_targets", np.full(6, 2.0), np.float64([2, 2, 2.5, 1, 2, 3]))
    residuals(made, "residuals/perfect", np.full(3, 2.0), np.full(3, 2.0))
    return made
