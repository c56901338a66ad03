"""What is measured, as data: every work has a name that says all of it, so that the runner, the peers and
`accelerando benchmark` need nothing but the name to do the same work.

    train/MODEL/BATCH                            a training step: forward, loss, backward, Adam
    predict/MODEL/BATCH                          the outputs for 10,000 images, or for one batch of made-up samples
    latency/MODEL                                the output for one sample
    dispatch                                     a call of a program that does next to nothing
    product/MxKxN, product/MxKxN/at, …/bt        a matrix product; `at`: the left matrix is stored [K, M], `bt`: the right [N, K]
    convolution/NxHxWxC-F/PASS                   3x3, same; PASS is forward, backward-data or backward-weights
    memory/MODEL/BATCH                           the peak of the resident memory while training
    start/MODEL                                  from the start of the process to the end of the first epoch of training
"""

import dataclasses
import math
import re


@dataclasses.dataclass(frozen=True)
class Model:
    """What a model reads, and how much of it in a measurement."""

    input: tuple  # the shape of a sample
    classes: int
    steps: int = 0  # the steps of an epoch of made-up data; 0: the model is trained on Fashion-MNIST
    vocabulary: int = 0  # samples are integers below this
    peers: tuple = ("torch", "keras", "jax")  # those that have it

    @property
    def convolutional(self):
        return len(self.input) >= 3


MODELS = {
    "mlp": Model((28, 28, 1), 10, peers=("torch", "keras", "jax", "onnx")),
    "cnn": Model((28, 28, 1), 10, peers=("torch", "keras", "jax", "onnx")),
    "vgg": Model((28, 28, 1), 10, steps=16),
    "wide-mlp": Model((1024,), 10, steps=16),
    "odd-mlp": Model((37,), 7, steps=512),
    "odd-cnn": Model((29, 31, 3), 7, steps=48),
    "residual": Model((32, 32, 3), 10, steps=16),
    "separable": Model((32, 32, 3), 10, steps=16),
    "transformer": Model((64,), 10, steps=16, vocabulary=1000),
    # The nets that people train.
    "resnet50": Model((64, 64, 3), 10, steps=4, peers=("torch", "onnx")),
    "mobilenet": Model((64, 64, 3), 10, steps=4, peers=("torch", "onnx")),
    "inverted": Model((64, 64, 3), 10, steps=4, peers=("torch", "onnx")),
    "convnext": Model((64, 64, 3), 10, steps=4, peers=("torch", "onnx")),
    "densenet": Model((32, 32, 3), 10, steps=4, peers=("torch", "onnx")),
    "unet": Model((64, 64, 3), 10, steps=4, peers=("torch", "onnx")),
    "transposed-unet": Model((64, 64, 3), 10, steps=4, peers=("torch", "onnx")),
    # Signals and volumes.
    "signal": Model((1000, 16), 10, steps=4, peers=("torch", "onnx")),
    "volume": Model((16, 16, 16, 2), 10, steps=4, peers=("torch", "onnx")),
    "decoder": Model((128,), 10, steps=8, vocabulary=1000, peers=("torch",)),
    "widest-mlp": Model((1024,), 10, steps=8, peers=("torch", "onnx")),
    # Sequences, which are read one element after the other.
    "lstm": Model((50, 64), 10, steps=16),
    "long-lstm": Model((200, 32), 10, steps=8),
    "gru": Model((100, 64), 10, steps=8),
    "text-lstm": Model((32,), 10, steps=16, vocabulary=1000),
    # Sized for accelerators.
    "resnet": Model((64, 64, 3), 10, steps=8),
    "encoder": Model((256,), 10, steps=8, vocabulary=8192),
}


@dataclasses.dataclass(frozen=True)
class Work:
    """A work, taken apart."""

    name: str
    kind: str
    model: str = ""
    batch: int = 1
    shape: tuple = ()  # product: M, K, N; convolution: N, H, W, C, F
    form: str = ""  # product: "", at or bt; convolution: the pass

    @property
    def flops(self):
        """Floating-point operations of a product or a convolution; taps that fall on the padding count, as is the custom."""
        if self.kind == "product":
            return 2 * math.prod(self.shape)
        if self.kind == "convolution":
            return 2 * 9 * math.prod(self.shape)
        return None


def parse(name):
    parts = name.split("/")
    kind = parts[0]
    try:
        if kind in ("train", "predict", "memory"):
            model, batch = parts[1:]
            return Work(name, kind, model=_known(model), batch=int(batch))
        if name == "dispatch":
            return Work(name, kind)
        if kind in ("latency", "start"):
            (model,) = parts[1:]
            return Work(name, kind, model=_known(model), batch=1 if kind == "latency" else 32)
        if kind == "product":
            form = parts[2] if len(parts) == 3 else ""
            if form in ("", "at", "bt"):
                return Work(name, kind, shape=tuple(map(int, re.fullmatch(r"(\d+)x(\d+)x(\d+)", parts[1]).groups())), form=form)
        if kind == "convolution" and parts[2] in PASSES:
            shape = re.fullmatch(r"(\d+)x(\d+)x(\d+)x(\d+)-(\d+)", parts[1]).groups()
            return Work(name, kind, shape=tuple(map(int, shape)), form=parts[2])
    except (ValueError, IndexError, AttributeError):
        pass
    raise SystemExit(f"'{name}' is no work; --list shows those that are measured by default")


def _known(model):
    if model not in MODELS:
        raise ValueError(model)
    return model


PASSES = ("forward", "backward-data", "backward-weights")


@dataclasses.dataclass(frozen=True)
class Target:
    """The ratio that is to be reached: the peer's figure over ours."""

    ratio: float
    against: str = ""  # a peer; "" for the best of all


def _works():
    target = Target
    yield "train/cnn/32", target(10)
    yield "train/cnn/256", target(6)
    yield "train/mlp/32", target(3)
    yield "train/mlp/256", target(1.8)
    yield "predict/cnn/256", target(3)
    yield "latency/mlp", target(2.5)
    yield "latency/cnn", target(4)
    yield "dispatch", None
    yield "train/vgg/64", target(1.5)
    yield "train/wide-mlp/128", target(1.15)
    for name in ("residual/32", "transformer/32", "separable/32", "odd-mlp/19", "odd-cnn/21"):
        yield f"train/{name}", None
    for name in ("resnet50/16", "mobilenet/32", "densenet/32"):
        yield f"train/{name}", target(1.5)
    for name in (
        "unet/16", "transposed-unet/16", "signal/32", "volume/16", "decoder/16", "widest-mlp/8", "inverted/32", "convnext/16",
    ):
        yield f"train/{name}", target(1.2)
    latencies = [f"latency/{name}" for name in ("resnet50", "mobilenet", "inverted", "convnext", "densenet")]
    for name in (*latencies, "predict/resnet50/16", "predict/widest-mlp/32"):
        yield name, target(1.05)
    for name in ("lstm/32", "long-lstm/32", "gru/64", "text-lstm/32"):
        yield f"train/{name}", target(1.5)
    yield "latency/lstm", target(2)
    yield "start/cnn", target(12, "keras")
    yield "memory/cnn/32", target(3, "torch")
    yield "memory/mlp/32", target(3, "torch")
    for size in (64, 128, 256, 512, 1024, 2048):
        yield f"product/{size}x{size}x{size}", target(0.95, "torch")
    # The seed networks' dense layers at batch 32, and those of the wide one at 128: forward, gradient of the weights and,
    # where there is one, of the input.
    for m, k, n, has_input_gradient in [
        (32, 784, 128, True), (32, 128, 10, True), (32, 5408, 10, True), (128, 1024, 2048, False), (128, 2048, 2048, True),
        (128, 2048, 10, True),
    ]:
        yield f"product/{m}x{k}x{n}", target(0.95, "torch")
        yield f"product/{k}x{m}x{n}/at", target(0.95, "torch")
        if has_input_gradient:
            yield f"product/{m}x{n}x{k}/bt", target(0.95, "torch")
    for h, c, f in [
        (28, 1, 32), (32, 3, 32), (32, 16, 16), (16, 32, 32), (16, 32, 64), (28, 32, 64), (8, 64, 64), (16, 64, 64),
    ]:
        for step in PASSES:
            yield f"convolution/64x{h}x{h}x{c}-{f}/{step}", target(0.95, "torch")


# The works of a whole sitting, with their targets.
ALL = dict(_works())

# Kinds whose ratios have a geometric mean to reach as well.
MEANS = {"product": 1.05, "convolution": 1.15}

# What ours is to reach against itself: on every core against one, and with AVX2 against AVX-512.
CORES_TARGET = 1.85
AVX2_TARGET = 0.5

# What is measured on XLA's CPU as well, and what is to be reached there: the peer JAX's figure over ours, since both run on
# the same compiler, at least 1; for calls, so many microseconds.
ON_XLA = ("train/mlp/32", "train/mlp/256", "train/cnn/32", "train/cnn/256", "dispatch")
XLA_DISPATCH_TARGET = 8


def select(patterns):
    """The works whose names match one of the patterns: whole names, or beginnings up to a slash; made-up ones too."""
    chosen = []
    for pattern in patterns:
        found = [name for name in ALL if name == pattern or name.startswith(pattern.rstrip("/") + "/")]
        chosen += found or [parse(pattern).name]
    return list(dict.fromkeys(chosen))
