"""ONNX Runtime at its best: inference alone, with bound inputs and outputs, on one thread and on all."""

import common


def variants(work):
    return ["bound", "bound-1", "run", "run-1"] if work.kind == "latency" else ["bound", "run"]


def make_model(name):
    """The model with made-up weights, whose values change nothing in time."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights = [], []

    def add(operation, x, *shapes, **attributes):
        names = [x]
        for array in common.random_arrays(*shapes):
            names.append(f"w{len(weights)}")
            weights.append(numpy_helper.from_array(array * 0.05, names[-1]))
        output = f"x{len(nodes)}"
        nodes.append(helper.make_node(operation, names, [output], **attributes))
        return output

    def dense(x, inputs, units):
        return add("Gemm", x, (inputs, units), (units,))

    if name == "mlp":
        shape = [784]
        x = dense(add("Relu", dense("in", 784, 128)), 128, 10)
    elif name == "cnn":
        shape = [1, 28, 28]
        x = add("Relu", add("Conv", "in", (32, 1, 3, 3), (32,)))
        x = add("Flatten", add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
        x = dense(x, 5408, 10)
    else:
        return exported(name), list(common.works.MODELS[name].input)
    nodes.append(helper.make_node("Softmax", [x], ["out"]))
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["n"] + shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 10])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString(), shape


def exported(name):
    """PyTorch's model as ONNX, for any number of samples, channels last at the door as ours are."""
    import io

    import torch
    import torch_peer

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Sequential(*torch_peer.make_model(name), torch.nn.Softmax(-1))

        def forward(self, x):
            return self.body(x.permute(0, 3, 1, 2) if x.ndim == 4 else x)

    (example,) = common.random_arrays((2,) + common.works.MODELS[name].input)
    file = io.BytesIO()
    torch.onnx.export(
        Whole().eval(), (torch.from_numpy(example),), file, input_names=["in"], output_names=["out"],
        dynamic_axes={"in": {0: "n"}, "out": {0: "n"}}, opset_version=17, dynamo=False)
    return file.getvalue()


def prepare(job):
    import onnxruntime

    content, shape = make_model(job.work.model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1 if job.variant.endswith("-1") else common.CORES
    options.inter_op_num_threads = 1
    return onnxruntime, onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]), shape


def call_of(job, onnxruntime, session, x):
    """A function that computes the output for a batch."""
    import numpy as np

    if job.variant.startswith("run"):
        return lambda: session.run(None, {"in": x})
    binding = session.io_binding()
    value = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(x))
    output = onnxruntime.OrtValue.ortvalue_from_shape_and_type([len(x), 10], np.float32)
    binding.bind_ortvalue_input("in", value)
    binding.bind_ortvalue_output("out", output)
    return lambda: session.run_with_iobinding(binding)


def predict(job):
    onnxruntime, session, shape = prepare(job)
    x = common.prediction_data(job).reshape([-1] + shape)
    calls = [
        call_of(job, onnxruntime, session, x[begin : begin + job.work.batch])
        for begin in range(0, len(x), job.work.batch)
    ]
    return common.measure(lambda: [call() for call in calls], job.seconds)


def latency(job):
    onnxruntime, session, shape = prepare(job)
    (sample,) = common.random_arrays([1] + shape)
    return common.measure(call_of(job, onnxruntime, session, sample), job.seconds)


def versions():
    import onnxruntime

    return {"onnxruntime": onnxruntime.__version__}


KINDS = {"predict": predict, "latency": latency}

if __name__ == "__main__":
    common.run(versions, KINDS)
