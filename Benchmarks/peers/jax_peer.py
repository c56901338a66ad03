"""JAX at its best: data on the device, the whole step under jit with donated state, and the whole epoch as one lax.scan."""

import common


def variants(work):
    if work.kind == "train":
        return ["step", "scan"]
    if work.kind == "predict":
        return ["jit", "map"]
    return ["jit"]


class Net:
    """The layers of a model that is a function: the first call makes the parameters, later calls read them in order."""

    def __init__(self, jax, parameters=None, training=True):
        self.jax, self.np, self.training = jax, jax.numpy, training
        self.parameters, self.making = ([], True) if parameters is None else (list(parameters), False)
        self.next, self.key = 0, jax.random.key(1)

    def parameter(self, shape, fan_in=None, value=0.0):
        if self.making:
            self.key, key = self.jax.random.split(self.key)
            random = self.jax.random.normal
            self.parameters.append(random(key, shape) * fan_in**-0.5 if fan_in else self.np.full(shape, value, "float32"))
        self.next += 1
        return self.parameters[self.next - 1]

    def dense(self, x, units):
        return x @ self.parameter((x.shape[-1], units), x.shape[-1]) + self.parameter((units,))

    def conv(self, x, features, size=3, stride=1, padding="SAME", bias=True, groups=1):
        inputs = x.shape[-1] // groups
        kernel = self.parameter((size, size, inputs, features), size * size * inputs)
        x = self.jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups)
        return x + self.parameter((features,)) if bias else x

    def norm(self, x, axes, epsilon=1e-3):
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        x = (x - mean) * self.jax.lax.rsqrt(variance + epsilon)
        return x * self.parameter(x.shape[-1:], value=1.0) + self.parameter(x.shape[-1:])

    def normalized(self, x, features, **options):
        """The running statistics are left out, a small advantage for JAX."""
        return self.norm(self.conv(x, features, bias=False, **options), (0, 1, 2))

    def pool(self, x, size):
        window = (1, size, size, 1)
        return self.jax.lax.reduce_window(x, -self.np.inf, self.jax.lax.max, window, window, "VALID")

    def relu(self, x):
        return self.np.maximum(x, 0)

    def residual(self, x, features, stride=1):
        y = self.normalized(self.relu(self.normalized(x, features, stride=stride)), features)
        side = x if x.shape[-1] == features else self.normalized(x, features, size=1, stride=stride)
        return self.relu(y + side)

    def separable(self, x, features, stride=1):
        x = self.relu(self.normalized(x, x.shape[-1], stride=stride, groups=x.shape[-1]))
        return self.relu(self.normalized(x, features, size=1))

    def encoder(self, x, heads, hidden):
        n, t, width = x.shape
        q, k, v = self.np.split(self.dense(self.norm(x, (-1,)), 3 * width).reshape(n, t, 3 * heads, -1), 3, axis=2)
        x = x + self.dense(self.jax.nn.dot_product_attention(q, k, v).reshape(n, t, width), width)
        return x + self.dense(self.jax.nn.gelu(self.dense(self.norm(x, (-1,)), hidden)), width)

    def flat(self, x):
        return x.reshape(len(x), -1)


def mlp(net, x, *units):
    x = net.flat(x)
    for width in units[:-1]:
        x = net.relu(net.dense(x, width))
    return net.dense(x, units[-1])


def cnn(net, x):
    x = net.pool(net.relu(net.conv(x, 32, padding="VALID")), 2)
    return net.dense(net.flat(x), 10)


def vgg(net, x):
    for features in (32, 64):
        x = net.relu(net.conv(x, features))
        x = net.pool(net.relu(net.conv(x, features)), 2)
    return mlp(net, x, 128, 10)


def odd_cnn(net, x):
    x = net.pool(net.relu(net.conv(x, 17, size=5)), 3)
    return mlp(net, net.relu(net.conv(x, 23, padding="VALID", stride=2)), 7)


def residual(net, x):
    x = net.relu(net.normalized(x, 16))
    x = net.residual(net.residual(net.residual(x, 16), 32, 2), 64, 2)
    return net.dense(x.mean((1, 2)), 10)


def separable(net, x):
    x = net.relu(net.normalized(x, 32, stride=2))
    x = net.separable(net.separable(net.separable(x, 64), 128, 2), 128)
    return net.dense(x.mean((1, 2)), 10)


def resnet(net, x):
    x = net.relu(net.normalized(x, 64))
    for features, stride in [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]:
        x = net.residual(x, features, stride)
    return net.dense(x.mean((1, 2)), 10)


def encoder(net, x):
    x = net.parameter((8192, 512), 512)[x]
    for _ in range(4):
        x = net.encoder(x, 8, 2048)
    return net.dense(x.mean(1), 10)


def transformer(net, x):
    x = net.parameter((1000, 64), 64)[x]
    x = net.encoder(net.encoder(x, 4, 128), 4, 128)
    return net.dense(x.mean(1), 10)


def lstm(net, x, units, reverse=False):
    """The last output of long short-term memory along axis 1."""
    import jax

    features = x.shape[2]
    kernel, recurrent = net.parameter((features, 4 * units), features), net.parameter((units, 4 * units), units)
    product = x @ kernel + net.parameter((4 * units,), units)

    def round(carry, z):
        i, f, g, o = jax.numpy.split(z + carry[0] @ recurrent, 4, axis=-1)
        c = jax.nn.sigmoid(f) * carry[1] + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
        return (jax.nn.sigmoid(o) * jax.numpy.tanh(c), c), None

    zeros = jax.numpy.zeros((x.shape[0], units), x.dtype)
    return jax.lax.scan(round, (zeros, zeros), product.swapaxes(0, 1), reverse=reverse)[0][0]


def gru(net, x, units):
    """The last output of a gated recurrent unit along axis 1, its reset gate after the product."""
    import jax

    features = x.shape[2]
    kernel, recurrent = net.parameter((features, 3 * units), features), net.parameter((units, 3 * units), units)
    product = x @ kernel + net.parameter((3 * units,), units)
    bias = net.parameter((3 * units,), units)

    def round(h, x):
        (xz, xr, xy), (hz, hr, hy) = jax.numpy.split(x, 3, axis=-1), jax.numpy.split(h @ recurrent + bias, 3, axis=-1)
        z, r = jax.nn.sigmoid(xz + hz), jax.nn.sigmoid(xr + hr)
        return z * h + (1 - z) * jax.numpy.tanh(xy + r * hy), None

    return jax.lax.scan(round, jax.numpy.zeros((x.shape[0], units), x.dtype), product.swapaxes(0, 1))[0]


def text_lstm(net, x):
    import jax

    x = net.parameter((1000, 64), 64)[x]
    return net.dense(jax.numpy.concatenate([lstm(net, x, 64), lstm(net, x, 64, reverse=True)], axis=-1), 10)


MODELS = {
    "lstm": lambda net, x: net.dense(lstm(net, x, 128), 10),
    "long-lstm": lambda net, x: net.dense(lstm(net, x, 32), 10),
    "gru": lambda net, x: net.dense(gru(net, x, 64), 10),
    "text-lstm": text_lstm,
    "mlp": lambda net, x: mlp(net, x, 128, 10),
    "cnn": cnn,
    "vgg": vgg,
    "wide-mlp": lambda net, x: mlp(net, x, 2048, 2048, 10),
    "odd-mlp": lambda net, x: mlp(net, x, 101, 53, 7),
    "odd-cnn": odd_cnn,
    "residual": residual,
    "separable": separable,
    "transformer": transformer,
    "resnet": resnet,
    "encoder": encoder,
}


def prepare(job):
    import jax

    model = MODELS.get(job.work.model)

    def make(example):
        net = Net(jax)
        model(net, jax.numpy.asarray(example))
        return tuple(net.parameters)

    def apply(parameters, x):
        """The scores as float32; with bfloat16, weights and samples are rounded on the way in."""
        if job.bfloat16:
            low = jax.numpy.bfloat16
            parameters = [parameter.astype(low) for parameter in parameters]
            x = x.astype(low) if jax.numpy.issubdtype(x.dtype, jax.numpy.floating) else x
        return model(Net(jax, parameters), x).astype("float32")

    return jax, make, apply


def trainer(job):
    """Functions that make the state for an example, prepare epochs of training, and apply the model."""
    jax, make, apply = prepare(job)
    np, batch = jax.numpy, job.work.batch

    def loss_of(parameters, x, y):
        logits = apply(parameters, x)
        return (jax.nn.logsumexp(logits, 1) - np.take_along_axis(logits, y[:, None], 1)[:, 0]).mean()

    def update(state, rows, x, y):
        parameters, first, second, count = state
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x[rows], y[rows])
        count = count + 1
        rate = 0.001 * np.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        first = jax.tree.map(lambda m, g: m + 0.1 * (g - m), first, gradients)
        second = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), second, gradients)
        parameters = jax.tree.map(lambda p, m, v: p - rate * m / (np.sqrt(v) + 1e-7), parameters, first, second)
        return (parameters, first, second, count), loss

    step = jax.jit(update, donate_argnums=0)

    @jax.jit
    def shuffled(key, x):
        return jax.random.permutation(key, len(x))

    def scan(state, order, x, y):
        return jax.lax.scan(lambda state, rows: update(state, rows, x, y), state, order)

    scan = jax.jit(scan, donate_argnums=0)
    key = jax.random.key(2)

    def begin():
        nonlocal key
        key, now = jax.random.split(key)
        return now

    def by_steps(state, x, y, limit=None):
        """An epoch, or its first steps and its last, ragged one."""
        order, loss = shuffled(begin(), x), None
        for position in range(0, len(x), batch):
            if limit is None or position < limit * batch or position + batch > len(x):
                state, loss = step(state, order[position : position + batch], x, y)
        jax.block_until_ready(state)
        return state, loss

    def by_scan(compiled, state, x, y):
        order, whole = shuffled(begin(), x), len(x) // batch * batch
        state, losses = compiled(state, order[:whole].reshape(-1, batch), x, y)
        loss = losses[-1]
        if whole < len(x):
            state, loss = step(state, order[whole:], x, y)
        jax.block_until_ready(state)
        return state, loss

    def prepared(state, x, y):
        """A function that trains for an epoch, all of it compiled, and the state after what that took."""
        state, _ = by_steps(state, x, y, limit=10)
        if job.variant == "step":
            return by_steps, state
        order = shuffled(begin(), x)[: len(x) // batch * batch].reshape(-1, batch)
        compiled = scan.lower(state, order, x, y).compile()
        return lambda *arguments: by_scan(compiled, *arguments), state

    def initial(example):
        parameters = make(example)
        zeros = lambda: jax.tree.map(np.zeros_like, parameters)  # noqa: E731
        return parameters, zeros(), zeros(), np.zeros((), "float32")

    return jax, initial, prepared, apply


def train(job):
    jax, initial, prepared, apply = trainer(job)
    x, y = (jax.device_put(array) for array in common.training_data(job))
    epoch, state = prepared(initial(x[: job.work.batch]), x, y)
    loss = None

    def once():
        nonlocal state, loss
        state, loss = epoch(state, x, y)

    result = common.measure_epochs(once, common.steps(len(x), job.work.batch), job.seconds)
    result["loss"] = float(loss)
    test = common.test_data(job)
    if test is not None:
        scores = jax.jit(apply)(state[0], test[0])
        result["accuracy"] = float((scores.argmax(1) == test[1]).mean())
    return result


def predict(job):
    jax, make, apply = prepare(job)
    np, batch = jax.numpy, job.work.batch
    x = jax.device_put(common.test_data(job)[0])
    parameters = make(x[:batch])
    if job.variant == "jit":
        step = jax.jit(lambda x: apply(parameters, x))
        batches = [x[begin : begin + batch] for begin in range(0, len(x), batch)]
        return common.measure(
            lambda: np.concatenate([step(part) for part in batches]).block_until_ready(), job.seconds)
    whole = len(x) // batch * batch

    @jax.jit
    def all_at_once(x):
        outputs = jax.lax.map(lambda part: apply(parameters, part), x[:whole].reshape((-1, batch) + x.shape[1:]))
        return np.concatenate([outputs.reshape(whole, -1), apply(parameters, x[whole:])])

    return common.measure(lambda: all_at_once(x).block_until_ready(), job.seconds)


def latency(job):
    jax, make, apply = prepare(job)
    (sample,) = common.random_arrays((1,) + job.model.input)
    sample = jax.device_put(sample)
    parameters = make(sample)
    step = jax.jit(lambda x: apply(parameters, x))
    return common.measure(lambda: step(sample).block_until_ready(), job.seconds)


def dispatch(job):
    import jax

    step = jax.jit(lambda x: x + 1)
    x = jax.device_put(jax.numpy.zeros(4))
    return common.measure(lambda: step(x), job.seconds)


def product(job):
    import jax

    m, k, n = job.work.shape
    form = job.work.form
    a, b = common.random_arrays((k, m) if form == "at" else (m, k), (n, k) if form == "bt" else (k, n))
    dtype = "bfloat16" if job.bfloat16 else "float32"
    a, b = jax.device_put(a).astype(dtype), jax.device_put(b).astype(dtype)
    step = jax.jit(lambda a, b: (a.T if form == "at" else a) @ (b.T if form == "bt" else b))
    return common.measure(lambda: step(a, b).block_until_ready(), job.seconds)


def convolution(job):
    import jax

    n, h, w, c, f = job.work.shape
    x, kernel, gradient = (jax.device_put(array) for array in common.random_arrays((n, h, w, c), (3, 3, c, f), (n, h, w, f)))

    def forward(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    step = {
        "forward": lambda x, kernel, g: forward(x, kernel),
        "backward-data": lambda x, kernel, g: jax.vjp(lambda x: forward(x, kernel), x)[1](g)[0],
        "backward-weights": lambda x, kernel, g: jax.vjp(lambda kernel: forward(x, kernel), kernel)[1](g)[0],
    }[job.work.form]
    step = jax.jit(step)
    return common.measure(lambda: step(x, kernel, gradient).block_until_ready(), job.seconds)


def versions():
    import jax
    import jaxlib

    return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}


KINDS = {"train": train, "predict": predict, "latency": latency, "dispatch": dispatch, "product": product, "convolution": convolution}

if __name__ == "__main__":
    common.run(versions, KINDS)
