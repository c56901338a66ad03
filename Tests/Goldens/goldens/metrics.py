"""Metrics that accumulate over three batches of different size: `values` holds the result after each."""
import keras
import numpy as np
import tensorflow as tf

from .archive import Archive
from .plain import plain
from .seeded import Seeded

SIZES = (8, 5, 3)


def plain_list(value):
    return [float(v) for v in value] if hasattr(value, "shape") and len(value.shape) == 1 else value


def record(made, name, metric, batches, weighted):
    values, tensors = [], {}
    for i, (y_true, y_pred) in enumerate(batches):
        weight = Seeded(f"{name}:{i}").uniform(len(y_true), high=2.0) if weighted else None
        metric.update_state(y_true, y_pred, sample_weight=weight)
        values.append(np.array(metric.result()))
        tensors |= {f"y_true{i}": y_true, f"y_pred{i}": y_pred}
        if weighted:
            tensors[f"sample_weight{i}"] = weight
    tensors["values"] = np.float32(values)
    given = plain({k: plain_list(v) for k, v in metric.get_config().items()})
    if "average" in given:
        given["average"] = given["average"] or "none"
    if "class_aggregation" in given:
        given["class_aggregation"] = given["class_aggregation"] or "none"
    made.add(name, type(metric).__name__, given, tensors)


def informed(draw, labels, classes):
    """Probabilities of which about half have their largest at the label."""
    logits = draw.normal(len(labels), classes) + 1.5 * np.eye(classes, dtype=np.float32)[labels]
    e = np.exp(logits)
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


def both(made, name, make, batches):
    record(made, name, make(), batches, weighted=False)
    record(made, f"{name}/weighted", make(), batches, weighted=True)


def counts(made, one_hot):
    """Counts over thresholds: of one column, of three, and of classes."""
    metrics = keras.metrics
    for columns in (1, 3):
        batches = []
        for i, n in enumerate(SIZES):
            draw = Seeded(f"metrics/counts{columns}/{i}")
            y = draw.integers(n, columns, high=2).astype(np.float32)
            q = np.clip(0.3 * y + 0.8 * draw.uniform(n, columns), 0, 1).astype(np.float32)
            q[0, 0], q[-1, -1] = 0.5, 0.0
            batches.append((y, q))
        for make in (metrics.TruePositives, metrics.TrueNegatives, metrics.FalsePositives, metrics.FalseNegatives):
            both(made, f"{make().name}/{columns}", make, batches)
            both(made, f"{make().name}/{columns}/threshold", lambda: make(thresholds=0.3), batches)
        for make in (metrics.Precision, metrics.Recall):
            both(made, f"{make().name}/{columns}", make, batches)
            both(made, f"{make().name}/{columns}/threshold", lambda: make(thresholds=0.7), batches)
        for curve in ("ROC", "PR"):
            for how in ("interpolation", "minoring", "majoring"):
                both(made, f"auc/{curve}/{how}/{columns}", lambda: metrics.AUC(curve=curve, summation_method=how), batches)
            both(made, f"auc/{curve}/few/{columns}", lambda: metrics.AUC(curve=curve, num_thresholds=7), batches)
            both(made, f"auc/{curve}/even/{columns}", lambda: metrics.AUC(curve=curve, thresholds=[0.25, 0.75, 0.5]), batches)
            both(made, f"auc/{curve}/uneven/{columns}", lambda: metrics.AUC(curve=curve, thresholds=[0.6, 0.05, 0.31, 0.9]), batches)
        for how in ("interpolation", "minoring", "majoring"):
            both(made, f"auc/PRGAIN/{how}/{columns}", lambda: metrics.AUC(curve="PRGAIN", summation_method=how), batches)
        for make in (metrics.TruePositives, metrics.FalseNegatives, metrics.Precision, metrics.Recall):
            both(made, f"{make().name}/thresholds/{columns}", lambda: make(thresholds=[0.2, 0.5, 0.9]), batches)
        logits = [(y, np.float32(4 * q - 2)) for y, q in batches]
        both(made, f"auc/logits/{columns}", lambda: metrics.AUC(from_logits=True), logits)
        both(made, f"precision_at_recall/{columns}", lambda: metrics.PrecisionAtRecall(0.6), batches)
        both(made, f"recall_at_precision/{columns}", lambda: metrics.RecallAtPrecision(0.7), batches)
        both(made, f"recall_at_precision/none/{columns}", lambda: metrics.RecallAtPrecision(1.0, num_thresholds=3), batches)
        both(made, f"sensitivity_at_specificity/{columns}", lambda: metrics.SensitivityAtSpecificity(0.6), batches)
        both(made, f"specificity_at_sensitivity/{columns}", lambda: metrics.SpecificityAtSensitivity(0.7), batches)
        for threshold in (0.5, 0.2):
            # Keras cannot spread weights of samples over several columns here.
            record(made, f"binary_iou/{threshold}/{columns}",
                   metrics.BinaryIoU(threshold=threshold, dtype="float32"), batches, weighted=False)
        if columns == 3:
            both(made, "auc/multi_label", lambda: metrics.AUC(multi_label=True, num_labels=3), batches)
            both(made, "auc/multi_label/uneven", lambda: metrics.AUC(
                multi_label=True, num_labels=3, curve="PR", thresholds=[0.1, 0.5, 0.6]), batches)
            both(made, "auc/multi_label/label_weights", lambda: metrics.AUC(
                multi_label=True, num_labels=3, label_weights=[0.5, 1.0, 2.0]), batches)
            both(made, "auc/label_weights", lambda: metrics.AUC(label_weights=[0.5, 1.0, 2.0]), batches)
    for make in (metrics.Precision, metrics.Recall):
        both(made, f"{make().name}/class", lambda: make(class_id=2), one_hot)
        both(made, f"{make().name}/top", lambda: make(top_k=2), one_hot)
        both(made, f"{make().name}/top_class", lambda: make(top_k=2, class_id=1, thresholds=0.1), one_hot)
    both(made, "precision_at_recall/class", lambda: metrics.PrecisionAtRecall(0.5, class_id=3), one_hot)
    for average in ("micro", "macro", "weighted", None):
        both(made, f"f1/{average}", lambda: metrics.F1Score(average=average), one_hot)
        both(made, f"f1/{average}/threshold", lambda: metrics.F1Score(average=average, threshold=0.3), one_hot)
        both(made, f"fbeta/{average}", lambda: metrics.FBetaScore(average=average, beta=2.0), one_hot)


def regions(made):
    """Classes of places: labels and predictions as numbers of classes, or with a number for each class."""
    metrics, classes = keras.metrics, 4
    sparse, labelled, one_hot = [], [], []
    for i, n in enumerate(SIZES):
        draw = Seeded(f"metrics/regions{i}")
        y, p = draw.integers(n, high=classes), draw.integers(n, high=classes)
        p = np.where(draw.uniform(n) < 0.5, y, p).astype(np.int32)
        q = (np.eye(classes)[p] + 0.5 * draw.uniform(n, classes)).astype(np.float32)
        sparse.append((y, p))
        labelled.append((y, q))
        one_hot.append((np.eye(classes, dtype=np.float32)[y], q))
    both(made, "iou", lambda: metrics.IoU(classes, [0, 2], dtype="float32"), sparse)
    both(made, "iou/ignore", lambda: metrics.IoU(classes, [0, 2], ignore_class=1, dtype="float32"), sparse)
    both(made, "mean_iou/ignore", lambda: metrics.MeanIoU(classes, ignore_class=2, dtype="float32"), sparse)
    both(made, "iou/of_scores", lambda: metrics.IoU(classes, [1], sparse_y_pred=False, dtype="float32"), labelled)
    both(made, "mean_iou", lambda: metrics.MeanIoU(classes, dtype="float32"), sparse)
    both(made, "mean_iou/missing", lambda: metrics.MeanIoU(classes + 2, dtype="float32"), sparse)
    both(made, "one_hot_iou", lambda: metrics.OneHotIoU(classes, [3, 1], dtype="float32"), one_hot)
    both(made, "one_hot_mean_iou", lambda: metrics.OneHotMeanIoU(classes, dtype="float32"), one_hot)


def places(made):
    """Means over places of sequences: by sample weights [N, T], and by the mask of the predictions."""
    metrics, classes = keras.metrics, 4
    batches = []
    for i, n in enumerate(SIZES):
        draw = Seeded(f"metrics/places{i}")
        y = draw.integers(n, 3, high=classes)
        p = informed(draw, y.reshape(-1), classes).reshape(n, 3, classes)
        batches.append((y, p, (draw.uniform(n, 3) < 0.7), draw.uniform(n, 3, high=2.0)))
    for make in (metrics.SparseCategoricalAccuracy, metrics.SparseCategoricalCrossentropy, metrics.SparseTopKCategoricalAccuracy):
        for masked in (False, True):
            for weighted in (False, True):
                metric = make(k=2) if make is metrics.SparseTopKCategoricalAccuracy else make()
                values, tensors = [], {}
                for i, (y, p, mask, weight) in enumerate(batches):
                    prediction = tf.constant(p)
                    if masked:
                        keras.src.backend.set_keras_mask(prediction, tf.constant(mask))
                        tensors[f"mask{i}"] = mask
                    if weighted:
                        tensors[f"sample_weight{i}"] = weight
                    metric.update_state(y, prediction, sample_weight=weight if weighted else None)
                    values.append(float(metric.result()))
                    tensors |= {f"y_true{i}": y, f"y_pred{i}": p}
                tensors["values"] = np.float32(values)
                ending = ("/mask" if masked else "") + ("/weighted" if weighted else "")
                made.add(f"places/{metric.name}{ending}", make.__name__, plain(metric.get_config()), tensors)


def archive():
    made, metrics = Archive("metrics"), keras.metrics
    places(made)
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
    counts(made, one_hot)
    regions(made)
    for columns in (1, 3):
        pairs = []
        for i, n in enumerate(SIZES):
            t = Seeded(f"metrics/r2/{columns}/{i}").normal(n, columns)
            pairs.append((t, t + 0.5 * Seeded(f"metrics/r2q/{columns}/{i}").normal(n, columns)))
        for how in ("uniform_average", "variance_weighted_average", None):
            both(made, f"r2/{how}/{columns}", lambda: metrics.R2Score(class_aggregation=how), pairs)
            both(made, f"r2/{how}/adjusted/{columns}", lambda: metrics.R2Score(class_aggregation=how, num_regressors=2), pairs)
    pairs = [(t, t + Seeded(f"metrics/c/{i}").normal(n, 6))
             for i, n in enumerate(SIZES) for t in [Seeded(f"metrics/ct/{i}").normal(n, 6)]]
    for make in (metrics.CosineSimilarity, metrics.PearsonCorrelation, metrics.ConcordanceCorrelation):
        both(made, make().name, make, pairs)
    return made
