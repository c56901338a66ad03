"""Keras on TensorFlow at its best: arrays in memory, with and without XLA, many steps in one call of the device."""

import os

import common


def variants(work):
    """`many` runs 32 steps in one call, which spares Python's share of all but one."""
    if work.kind == "train":
        return ["graph", "graph-many", "jit", "jit-many"]
    if work.kind in ("predict", "latency"):
        return ["graph", "jit"]
    return ["default"]


def prepare():
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(1)
    return keras


def build(name, keras):
    layers = keras.layers
    model = common.works.MODELS[name]
    dtype = "int32" if model.vocabulary else "float32"
    x = start = keras.Input(model.input, dtype=dtype)

    def normalized(x, features, size=3, stride=1):
        x = layers.Conv2D(features, size, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    def residual(x, features, stride=1):
        y = layers.ReLU()(normalized(x, features, stride=stride))
        y = normalized(y, features)
        side = x if x.shape[-1] == features else normalized(x, features, 1, stride)
        return layers.ReLU()(layers.Add()([y, side]))

    def separable(x, features, stride=1):
        x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        return layers.ReLU()(normalized(x, features, 1))

    def encoder(x, heads, hidden):
        width = x.shape[-1]
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(y, y)])
        y = layers.Dense(hidden, activation=lambda x: keras.activations.gelu(x, approximate=True))(
            layers.LayerNormalization()(x))
        return layers.Add()([x, layers.Dense(width)(y)])

    def convolution(x, features, size=3, **options):
        return layers.Conv2D(features, size, activation="relu", **{"padding": "same"} | options)(x)

    def dense(x, *units):
        for width in units:
            x = layers.Dense(width, activation="relu")(x)
        return x

    if name == "mlp":
        x = dense(layers.Flatten()(x), 128)
    elif name == "cnn":
        x = layers.Flatten()(layers.MaxPooling2D(2)(convolution(x, 32, padding="valid")))
    elif name == "vgg":
        for features in (32, 64):
            x = layers.MaxPooling2D(2)(convolution(convolution(x, features), features))
        x = dense(layers.Flatten()(x), 128)
    elif name == "wide-mlp":
        x = dense(x, 2048, 2048)
    elif name == "odd-mlp":
        x = dense(x, 101, 53)
    elif name == "odd-cnn":
        x = layers.MaxPooling2D(3)(convolution(x, 17, 5))
        x = layers.Flatten()(convolution(x, 23, strides=2, padding="valid"))
    elif name == "residual":
        x = layers.ReLU()(normalized(x, 16))
        x = residual(residual(residual(x, 16), 32, 2), 64, 2)
        x = layers.GlobalAveragePooling2D()(x)
    elif name == "separable":
        x = layers.ReLU()(normalized(x, 32, stride=2))
        x = separable(separable(separable(x, 64), 128, 2), 128)
        x = layers.GlobalAveragePooling2D()(x)
    elif name == "transformer":
        x = layers.Embedding(1000, 64)(x)
        x = encoder(encoder(x, 4, 128), 4, 128)
        x = layers.GlobalAveragePooling1D()(x)
    elif name in ("lstm", "long-lstm"):
        x = layers.LSTM(128 if name == "lstm" else 32)(x)
    elif name == "gru":
        x = layers.GRU(64)(x)
    elif name == "text-lstm":
        x = layers.Bidirectional(layers.LSTM(64))(layers.Embedding(1000, 64)(x))
    return keras.Model(start, layers.Dense(model.classes, activation="softmax")(x))


def compiled(job, keras):
    model = build(job.work.model, keras)
    options = {} if job.variant == "default" else {"jit_compile": job.variant.startswith("jit")}
    model.compile(
        keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"],
        steps_per_execution=min(32, job.model.steps or 32) if job.variant.endswith("many") else 1, **options)
    return model


def train(job):
    keras = prepare()
    x, y = common.training_data(job)
    model = compiled(job, keras)
    few = common.warm_up_count(job, len(x))
    model.fit(x[:few], y[:few], batch_size=job.work.batch, verbose=0)
    losses = []

    def epoch():
        losses.append(model.fit(x, y, batch_size=job.work.batch, verbose=0).history["loss"][-1])

    result = common.measure_epochs(epoch, common.steps(len(x), job.work.batch), job.seconds)
    result["loss"] = losses[-1]
    test = common.test_data(job)
    if test is not None:
        result["accuracy"] = float(model.evaluate(*test, batch_size=256, verbose=0)[1])
    return result


def predict(job):
    keras = prepare()
    x, _ = common.test_data(job)
    model = compiled(job, keras)
    return common.measure(lambda: model.predict(x, batch_size=job.work.batch, verbose=0), job.seconds)


def latency(job):
    """The model's function, traced for one sample: `predict` costs tens of times as much."""
    keras = prepare()
    import tensorflow

    model = build(job.work.model, keras)
    (sample,) = common.random_arrays((1,) + job.model.input)
    sample = tensorflow.constant(sample)
    step = tensorflow.function(
        lambda x: model(x, training=False), jit_compile=job.variant == "jit",
        input_signature=[tensorflow.TensorSpec(sample.shape)])
    step = step.get_concrete_function()
    return common.measure(lambda: step(sample), job.seconds)


def memory(job):
    """Images stay bytes until they are in a batch."""
    keras = prepare()
    before = common.resident_bytes()
    x, y = common.fashion_mnist(job)
    inner = build(job.work.model, keras)
    model = keras.Sequential([keras.Input(job.model.input, dtype="uint8"), keras.layers.Rescaling(1 / 255), inner])
    model.compile("adam", "sparse_categorical_crossentropy")
    result = common.measure_epochs(
        lambda: model.fit(x, y, batch_size=job.work.batch, verbose=0), common.steps(len(x), job.work.batch), 0)
    return result | {"import_bytes": before}


def start(job):
    """An epoch and the accuracy on the test data; the runner holds the clock."""
    keras = prepare()
    model = compiled(job, keras)
    history = model.fit(
        *common.training_data(job), batch_size=job.work.batch, validation_data=common.test_data(job), verbose=0)
    return {"accuracy": history.history["val_accuracy"][-1]}


def versions():
    import keras
    import tensorflow

    return {"keras": keras.__version__, "tensorflow": tensorflow.__version__}


KINDS = {"train": train, "predict": predict, "latency": latency, "memory": memory, "start": start}

if __name__ == "__main__":
    common.run(versions, KINDS)
