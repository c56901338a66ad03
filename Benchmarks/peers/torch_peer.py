"""PyTorch at its best: tensors in memory, indexed by a permutation; fused Adam; inference mode; eager, channels last,
scripted and compiled."""

import os

import common
from common import works


def variants(work, device="cpu"):
    """The ways that are tried; the best one counts. A trailing `-1` means one thread, which is quicker for small work."""
    convolutional = work.model and works.MODELS[work.model].convolutional and work.model != "mlp"
    layouts = ["eager", "channels-last"] if convolutional else ["eager"]
    if work.kind == "train":
        compiled = ["compile"] + (["compile-channels-last"] if convolutional else [])
        return layouts + compiled + ([f"graph-{way}" for way in layouts] if device == "cuda" else [])
    if work.kind == "predict":
        return layouts + ["script", "compile"]
    if work.kind == "latency":
        return [f"{way}{threads}" for way in ("eager", "script", "compile") for threads in ("", "-1")]
    if work.kind == "convolution":
        return ["contiguous", "channels-last"]
    return ["eager"]


def torch():
    import torch as module

    return module


def prepare(job):
    module = torch()
    # XLA multiplies float32 in TF32 on GPUs by default; so does PyTorch then.
    module.backends.cuda.matmul.allow_tf32 = module.backends.cudnn.allow_tf32 = True
    module.backends.cudnn.benchmark = True
    module.set_num_threads(1 if job.variant.endswith("-1") else common.CORES)
    module.manual_seed(1)
    return module


def make_model(name):
    from torch import nn
    from torch.nn import functional as F

    def conv(i, o, kernel=3, stride=1, padding=None, bias=True, groups=1):
        return nn.Conv2d(i, o, kernel, stride, kernel // 2 if padding is None else padding, groups=groups, bias=bias)

    def normalized(*arguments, **options):
        layer = conv(*arguments, bias=False, **options)
        return [layer, nn.BatchNorm2d(layer.out_channels)]

    class Residual(nn.Module):
        def __init__(self, i, o, stride=1):
            super().__init__()
            self.main = nn.Sequential(*normalized(i, o, stride=stride), nn.ReLU(), *normalized(o, o))
            self.side = nn.Sequential(*normalized(i, o, 1, stride)) if i != o else nn.Identity()

        def forward(self, x):
            return F.relu(self.main(x) + self.side(x))

    class Bottleneck(nn.Module):
        def __init__(self, i, width, stride):
            super().__init__()
            self.main = nn.Sequential(
                *normalized(i, width, 1), nn.ReLU(), *normalized(width, width, stride=stride), nn.ReLU(),
                *normalized(width, 4 * width, 1))
            same = stride == 1 and i == 4 * width
            self.side = nn.Identity() if same else nn.Sequential(*normalized(i, 4 * width, 1, stride))

        def forward(self, x):
            return F.relu(self.main(x) + self.side(x))

    def resnet50():
        layers, channels = [*normalized(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
        for stage, count in enumerate([3, 4, 6, 3]):
            for block in range(count):
                layers.append(Bottleneck(channels, 64 << stage, 2 if block == 0 and stage > 0 else 1))
                channels = 256 << stage
        return layers + pooled(channels)

    def mobilenet():
        layers, channels = [*normalized(3, 32, stride=2), nn.ReLU()], 32
        blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
        for width, stride in blocks:
            layers += separable(channels, width, stride)
            channels = width
        return layers + pooled(channels)

    class Inverted(nn.Module):
        def __init__(self, i, o, stride, widening):
            super().__init__()
            wide = i * widening
            self.adds = stride == 1 and i == o
            self.widen = nn.Sequential(*([*normalized(i, wide, 1), nn.ReLU6()] if widening > 1 else []))
            self.spatial = nn.Sequential(*normalized(wide, wide, stride=stride, groups=wide), nn.ReLU6())
            self.gates = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, wide // 4, 1), nn.ReLU(), nn.Conv2d(wide // 4, wide, 1), nn.Sigmoid())
            self.narrow = nn.Sequential(*normalized(wide, o, 1))

        def forward(self, x):
            y = self.spatial(self.widen(x))
            y = self.narrow(y * self.gates(y))
            return x + y if self.adds else y

    def inverted():
        blocks = [(16, 1, 1), (24, 2, 6), (24, 1, 6), (40, 2, 6), (40, 1, 6), (80, 2, 6), (80, 1, 6), (160, 2, 6)]
        layers, channels = [*normalized(3, 32, stride=2), nn.ReLU6()], 32
        for o, stride, widening in blocks:
            layers.append(Inverted(channels, o, stride, widening))
            channels = o
        return [*layers, *normalized(160, 960, 1), nn.ReLU6(), *pooled(960)]

    class ChannelNorm(nn.LayerNorm):
        def forward(self, x):
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    class ConvNeXt(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.block = nn.Sequential(
                conv(width, width, 7, groups=width), ChannelNorm(width), conv(width, 4 * width, 1), nn.GELU(),
                conv(4 * width, width, 1))

        def forward(self, x):
            return x + self.block(x)

    def convnext():
        layers = [nn.Conv2d(3, 48, 4, 4), ChannelNorm(48)]
        for stage, count in enumerate((2, 2, 4, 2)):
            width = 48 << stage
            if stage:
                layers += [ChannelNorm(width // 2), nn.Conv2d(width // 2, width, 2, 2)]
            layers += [ConvNeXt(width) for _ in range(count)]
        return [*layers, *pooled(384)]

    class Grown(nn.Module):
        def __init__(self, i):
            super().__init__()
            self.new = nn.Sequential(*after(i, 64, 1), *after(64, 16, 3))

        def forward(self, x):
            return torch().cat([x, self.new(x)], 1)

    def after(i, o, kernel):
        return [nn.BatchNorm2d(i), nn.ReLU(), conv(i, o, kernel, bias=False)]

    def densenet():
        layers, channels = [conv(3, 32, bias=False)], 32
        for block in range(3):
            for _ in range(8):
                layers.append(Grown(channels))
                channels += 16
            if block < 2:
                layers += [*after(channels, 64, 1), nn.AvgPool2d(2)]
                channels = 64
        return [*layers, nn.BatchNorm2d(channels), nn.ReLU(), *pooled(channels)]

    def twice(i, o):
        return nn.Sequential(conv(i, o), nn.ReLU(), conv(o, o), nn.ReLU())

    class UNet(nn.Module):
        def __init__(self, transposed=False):
            super().__init__()
            self.larger = nn.ModuleList(nn.ConvTranspose2d(2 * o, o, 2, 2) for o in (64, 32, 16)) if transposed else None
            self.down = nn.ModuleList(twice(i, o) for i, o in [(3, 16), (16, 32), (32, 64)])
            self.bottom = twice(64, 128)
            self.narrow = None if transposed else nn.ModuleList(conv(2 * o, o) for o in (64, 32, 16))
            self.up = nn.ModuleList(twice(2 * o, o) for o in (64, 32, 16))

        def forward(self, x):
            skipped = []
            for block in self.down:
                skipped.append(block(x))
                x = F.max_pool2d(skipped[-1], 2)
            x = self.bottom(x)
            for index, block in enumerate(self.up):
                if self.larger:
                    x = self.larger[index](x)
                else:
                    x = F.relu(self.narrow[index](F.interpolate(x, scale_factor=2.0)))
                x = block(torch().cat([skipped.pop(), x], 1))
            return x

    def separable(i, o, stride):
        return [*normalized(i, i, stride=stride, groups=i), nn.ReLU(), *normalized(i, o, 1), nn.ReLU()]

    def pooled(channels):
        return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]

    class Attention(nn.Module):
        def __init__(self, width, heads, dropout, causal):
            super().__init__()
            self.heads, self.project, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.dropout, self.causal = dropout, causal

        def forward(self, x):
            n, t, width = x.shape
            q, k, v = self.project(x).view(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
            x = F.scaled_dot_product_attention(
                q, k, v, dropout_p=self.dropout if self.training else 0, is_causal=self.causal)
            return self.out(x.transpose(1, 2).reshape(n, t, width))

    class Encoder(nn.Module):
        def __init__(self, width, heads, hidden, dropout=0.0, causal=False):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width, 1e-3), nn.LayerNorm(width, 1e-3)
            self.attention, self.drop = Attention(width, heads, dropout, causal), nn.Dropout(dropout)
            self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, width))

        def forward(self, x):
            x = x + self.drop(self.attention(self.norm1(x)))
            return x + self.drop(self.mlp(self.norm2(x)))

    class Last(nn.Module):
        """The last output of a recurrent layer: both ends', if it goes both ways."""

        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            state = self.layer(x)[1]
            state = state[0] if isinstance(state, tuple) else state
            return state.permute(1, 0, 2).flatten(1)

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(1)

    return {
        "mlp": lambda: [nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)],
        "cnn": lambda: [conv(1, 32, padding=0), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5408, 10)],
        "vgg": lambda: [
            conv(1, 32), nn.ReLU(), conv(32, 32), nn.ReLU(), nn.MaxPool2d(2),
            conv(32, 64), nn.ReLU(), conv(64, 64), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)],
        "wide-mlp": lambda: [
            nn.Linear(1024, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 10)],
        "odd-mlp": lambda: [nn.Linear(37, 101), nn.ReLU(), nn.Linear(101, 53), nn.ReLU(), nn.Linear(53, 7)],
        "odd-cnn": lambda: [
            conv(3, 17, 5), nn.ReLU(), nn.MaxPool2d(3), conv(17, 23, padding=0, stride=2), nn.ReLU(), nn.Flatten(),
            nn.Linear(368, 7)],
        "residual": lambda: [
            *normalized(3, 16), nn.ReLU(), Residual(16, 16), Residual(16, 32, 2), Residual(32, 64, 2), *pooled(64)],
        "separable": lambda: [
            *normalized(3, 32, stride=2), nn.ReLU(), *separable(32, 64, 1), *separable(64, 128, 2),
            *separable(128, 128, 1), *pooled(128)],
        "resnet50": resnet50,
        "mobilenet": mobilenet,
        "inverted": inverted,
        "convnext": convnext,
        "densenet": densenet,
        "unet": lambda: [UNet(), *pooled(16)],
        "transposed-unet": lambda: [UNet(transposed=True), *pooled(16)],
        "signal": lambda: [
            *[layer for i, o in [(16, 32), (32, 64), (64, 128)]
              for layer in (nn.Conv1d(i, o, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2))],
            nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(128, 10)],
        "volume": lambda: [
            *[layer for i, o in [(2, 16), (16, 32), (32, 64)]
              for layer in (nn.Conv3d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2))],
            nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(64, 10)],
        "decoder": lambda: [
            nn.Embedding(1000, 256), *[Encoder(256, 4, 1024, 0.1, True) for _ in range(4)], Mean(), nn.Linear(256, 10)],
        "widest-mlp": lambda: [
            nn.Linear(1024, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 10)],
        "resnet": lambda: [
            *normalized(3, 64), nn.ReLU(), Residual(64, 64), Residual(64, 64), Residual(64, 128, 2), Residual(128, 128),
            Residual(128, 256, 2), Residual(256, 256), Residual(256, 512, 2), Residual(512, 512), *pooled(512)],
        "encoder": lambda: [
            nn.Embedding(8192, 512), *[Encoder(512, 8, 2048) for _ in range(4)], Mean(), nn.Linear(512, 10)],
        "lstm": lambda: [Last(nn.LSTM(64, 128, batch_first=True)), nn.Linear(128, 10)],
        "long-lstm": lambda: [Last(nn.LSTM(32, 32, batch_first=True)), nn.Linear(32, 10)],
        "gru": lambda: [Last(nn.GRU(64, 64, batch_first=True)), nn.Linear(64, 10)],
        "text-lstm": lambda: [
            nn.Embedding(1000, 64), Last(nn.LSTM(64, 64, batch_first=True, bidirectional=True)), nn.Linear(128, 10)],
        "transformer": lambda: [
            nn.Embedding(1000, 64), Encoder(64, 4, 128), Encoder(64, 4, 128), Mean(), nn.Linear(64, 10)],
    }[name]()


def build(job, module):
    model = module.nn.Sequential(*make_model(job.work.model)).to(job.device)
    if "channels-last" not in job.variant:
        return model
    return model.to(memory_format=module.channels_last_3d if job.work.model == "volume" else module.channels_last)


def tensor(module, array, job):
    """Samples as PyTorch wants them: channels first, in memory either way."""
    if job.work.model == "signal":
        return module.from_numpy(array).permute(0, 2, 1).contiguous()
    if array.ndim == 5:
        result = module.from_numpy(array).permute(0, 4, 1, 2, 3)
        layout = module.channels_last_3d if "channels-last" in job.variant else module.contiguous_format
        return result.contiguous(memory_format=layout)
    if array.ndim != 4:
        return module.from_numpy(array)
    result = module.from_numpy(array).permute(0, 3, 1, 2)
    layout = module.channels_last if "channels-last" in job.variant else module.contiguous_format
    return result.contiguous(memory_format=layout)


def train(job):
    module = prepare(job)
    x, y = common.training_data(job)
    x, y = tensor(module, x, job).to(job.device), module.from_numpy(y).to(job.device)
    model, epoch = trainer(job, module)
    epoch(x[: common.warm_up_count(job, len(x))], y)
    losses = []
    result = common.measure_epochs(
        lambda: losses.append(epoch(x, y)), common.steps(len(x), job.work.batch), job.seconds)
    result["loss"] = float(losses[-1])
    test = common.test_data(job)
    if test is not None:
        model.eval()
        with module.inference_mode():
            scores = model(tensor(module, test[0], job).to(job.device))
        result["accuracy"] = float((scores.argmax(1).cpu().numpy() == test[1]).mean())
    return result


def trainer(job, module):
    """The model, and a function that trains it for an epoch and gives the last loss."""
    model = build(job, module)
    graphs = job.variant.startswith("graph-")
    adam = module.optim.Adam(model.parameters(), lr=0.001, fused=True, capturable=graphs)

    def loss_of(x, y):
        with module.autocast(job.device, module.bfloat16, enabled=job.bfloat16):
            return module.nn.functional.cross_entropy(model(x), y)

    if "compile" in job.variant:
        loss_of = module.compile(loss_of, dynamic=False)

    def step(images, labels):
        adam.zero_grad(set_to_none=True)
        loss = loss_of(images, labels)
        loss.backward()
        adam.step()
        return loss.detach()

    whole = graph_step(job, module, step) if graphs else step

    def epoch(x, y):
        order = module.randperm(len(x), device=x.device)
        for rows in order.split(job.work.batch):
            images = x.index_select(0, rows)
            if images.dtype == module.uint8:
                images = images.float() / 255
            loss = (whole if len(rows) == job.work.batch else step)(images, y.index_select(0, rows))
        if job.device == "cuda":
            module.cuda.synchronize()
        return loss

    return model, epoch


def graph_step(job, module, step):
    """The step as one CUDA graph, which is recorded at the first batch and played back for the others."""
    state = {}

    def record(images, labels):
        state["images"], state["labels"] = images.clone(), labels.clone()
        side = module.cuda.Stream()
        side.wait_stream(module.cuda.current_stream())
        with module.cuda.stream(side):
            for _ in range(3):
                step(state["images"], state["labels"])
        module.cuda.current_stream().wait_stream(side)
        state["graph"] = module.cuda.CUDAGraph()
        with module.cuda.graph(state["graph"]):
            state["loss"] = step(state["images"], state["labels"])

    def play(images, labels):
        if not state:
            record(images, labels)
        state["images"].copy_(images)
        state["labels"].copy_(labels)
        state["graph"].replay()
        return state["loss"]

    return play


def inference(job, module, example):
    model = build(job, module).eval()
    way = job.variant.removesuffix("-1")
    if way == "script":
        with module.no_grad():
            return module.jit.optimize_for_inference(module.jit.freeze(module.jit.trace(model, example)))
    if way == "compile":
        from torch._inductor import config

        config.freezing = True
        return module.compile(model, dynamic=False)
    return model


def predict(job):
    module = prepare(job)
    batches = tensor(module, common.prediction_data(job), job).split(job.work.batch)
    model = inference(job, module, batches[0])
    with module.inference_mode():
        return common.measure(lambda: module.cat([model(batch) for batch in batches]), job.seconds)


def latency(job):
    module = prepare(job)
    (sample,) = common.random_arrays((1,) + job.model.input)
    sample = tensor(module, sample, job)
    model = inference(job, module, sample)
    with module.inference_mode():
        return common.measure(lambda: model(sample), job.seconds)


def product(job):
    module = prepare(job)
    m, k, n = job.work.shape
    a, b = common.random_arrays((k, m) if job.work.form == "at" else (m, k), (n, k) if job.work.form == "bt" else (k, n))
    dtype = module.bfloat16 if job.bfloat16 else module.float32
    a, b = (module.from_numpy(array).to(job.device, dtype) for array in (a, b))
    a, b = a.t() if job.work.form == "at" else a, b.t() if job.work.form == "bt" else b
    out = module.empty(m, n, device=job.device, dtype=dtype)

    def call():
        module.mm(a, b, out=out)
        if job.device == "cuda":
            module.cuda.synchronize()

    with module.inference_mode():
        return common.measure(call, job.seconds)


def convolution(job):
    module = prepare(job)
    n, h, w, c, f = job.work.shape
    layout = module.channels_last if job.variant == "channels-last" else module.contiguous_format
    arrays = common.random_arrays((n, c, h, w), (f, c, 3, 3), (n, f, h, w))
    x, kernel, gradient = (module.from_numpy(array).contiguous(memory_format=layout) for array in arrays)
    backward = module.ops.aten.convolution_backward
    wanted = [job.work.form == "backward-data", job.work.form == "backward-weights", False]
    with module.inference_mode():
        if job.work.form == "forward":
            call = lambda: module.conv2d(x, kernel, padding=1)  # noqa: E731
        else:
            call = lambda: backward(  # noqa: E731
                gradient, x, kernel, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted)
        return common.measure(call, job.seconds)


def memory(job):
    """Images stay bytes until they are in a batch: four times less of them than as floats."""
    module = prepare(job)
    before = common.resident_bytes()
    x, y = common.fashion_mnist(job)
    x, y = module.from_numpy(x.reshape(-1, 1, 28, 28).copy()), module.from_numpy(y)
    _, epoch = trainer(job, module)
    result = common.measure_epochs(lambda: epoch(x, y), common.steps(len(x), job.work.batch), 0)
    return result | {"import_bytes": before}


def start(job):
    """An epoch and the accuracy on the test data; the runner holds the clock."""
    module = prepare(job)
    x, y = common.training_data(job)
    model, epoch = trainer(job, module)
    epoch(tensor(module, x, job), module.from_numpy(y))
    x, y = common.test_data(job)
    with module.inference_mode():
        scores = model(tensor(module, x, job))
    return {"accuracy": float((scores.argmax(1).numpy() == y).mean())}


def versions():
    return {"torch": torch().__version__}


KINDS = {
    "train": train, "predict": predict, "latency": latency, "product": product, "convolution": convolution,
    "memory": memory, "start": start,
}

if __name__ == "__main__":
    common.run(versions, KINDS)
