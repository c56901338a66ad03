"""Metrics that accumulate over three batches of different size: `values` holds the result after each."""
import keras
import numpy as np

from .archive import Archive
from .plain import plain
from .seeded import Seeded

SIZES = (8, 5, 3)


def record(made, name, metric, batches, weighted):
    values, tensors = [], {}
    for i, (y_true, y_pred) in enumerate(batches):
        weight = Seeded(f"{name}:{i}").uniform(len(y_true), high=2.0) if weighted else None
        metric.update_state(y_true, y_pred, sample_weight=weight)
        values.append(float(metric.result()))
        tensors |= {f"y_true{i}": y_true, f"y_pred{i}": y_pred}
        if weighted:
            tensors[f"sample_weight{i}"] = weight
    tensors["values"] = np.float32(values)
    made.add(name, type(metric).__name__, plain(metric.get_config()), tensors)


def informed(draw, labels, classes):
    """Probabilities of which about half have their largest at the label."""
    logits = draw.normal(len(labels), classes) + 1.5 * np.eye(classes, dtype=np.float32)[labels]
    e = np.exp(logits)
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


def both(made, name, make, batches):
    record(made, name, make(), batches, weighted=False)
    record(made, f"{name}/weighted", make(), batches, weighted=True)


def archive():
    made, metrics = Archive("metrics"), keras.metrics
    classes = 5
    labels = [Seeded(f"metrics/labels{i}").integers(n, high=classes) for i, n in enumerate(SIZES)]
    p = [informed(Seeded(f"metrics/p{i}"), l, classes) for i, l in enumerate(labels)]
    sparse = list(zip(labels, p))
    one_hot = [(np.eye(classes, dtype=np.float32)[l], q) for l, q in sparse]
    both(made, "sparse_categorical_accuracy", metrics.SparseCategoricalAccuracy, sparse)
    both(made, "sparse_categorical_accuracy/column_labels", metrics.SparseCategoricalAccuracy, [(l[:, None], q) for l, q in sparse])
    both(made, "categorical_accuracy", metrics.CategoricalAccuracy, one_hot)
    for k in (1, 2, 3):
        both(made, f"sparse_top_k/{k}", lambda: metrics.SparseTopKCategoricalAccuracy(k=k), sparse)
        both(made, f"top_k/{k}", lambda: metrics.TopKCategoricalAccuracy(k=k), one_hot)
    tied = np.float32([[0.2] * 5, [0.5, 0.5, 0, 0, 0], [0.4, 0.1, 0.4, 0.1, 0], [0, 0, 0, 0.5, 0.5]])
    tied_labels = np.int32([4, 1, 2, 3])
    record(made, "sparse_categorical_accuracy/ties", metrics.SparseCategoricalAccuracy(), [(tied_labels, tied)], False)
    for k in (1, 2):
        record(made, f"sparse_top_k/{k}/ties", metrics.SparseTopKCategoricalAccuracy(k=k), [(tied_labels, tied)], False)
    for columns in (1, 3):
        batches = []
        for i, n in enumerate(SIZES):
            draw = Seeded(f"metrics/binary{columns}/{i}")
            q = draw.uniform(n, columns)
            q[0, 0] = 0.5
            batches.append((draw.integers(n, columns, high=2).astype(np.float32), q))
        both(made, f"binary_accuracy/columns{columns}", metrics.BinaryAccuracy, batches)
        both(made, f"binary_accuracy/columns{columns}/threshold0.3", lambda: metrics.BinaryAccuracy(threshold=0.3), batches)
    accuracy = [(l, Seeded(f"metrics/guess{i}").integers(len(l), high=classes)) for i, l in enumerate(labels)]
    both(made, "accuracy", metrics.Accuracy, accuracy)
    for columns in (1, 3):
        pairs = [(Seeded(f"metrics/t{columns}/{i}").normal(n, columns), Seeded(f"metrics/q{columns}/{i}").normal(n, columns))
                 for i, n in enumerate(SIZES)]
        both(made, f"mean_squared_error/columns{columns}", metrics.MeanSquaredError, pairs)
        both(made, f"mean_absolute_error/columns{columns}", metrics.MeanAbsoluteError, pairs)
        both(made, f"root_mean_squared_error/columns{columns}", metrics.RootMeanSquaredError, pairs)
    both(made, "sparse_categorical_crossentropy", metrics.SparseCategoricalCrossentropy, sparse)
    return made
