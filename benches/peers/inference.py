"""ONNX Runtime's and OpenVINO's way of doing a forward pass."""

import contextlib
import os
import tempfile
import warnings

import numpy
import torch

import eager


def build(variant, case, tensors, threads):
    match variant:
        case "onnxruntime":
            return Onnxruntime(case, tensors, threads)
        case "openvino":
            return Openvino(case, tensors, threads, "f32")
        case _:
            return Openvino(case, tensors, threads, "bf16")


class Onnxruntime:
    def __init__(self, case, tensors, threads):
        import onnxruntime

        module = eager.load(case, tensors)
        self.inputs = [x.clone() for x in eager.inputs(tensors)]
        names = [f"input_{i}" for i in range(len(self.inputs))]
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "case.onnx")
            with torch.no_grad(), contextlib.redirect_stdout(None):
                torch.onnx.export(
                    module, tuple(self.inputs), file, input_names=names, dynamo=True, verbose=False
                )
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
            self.session = onnxruntime.InferenceSession(
                file, options, providers=["CPUExecutionProvider"]
            )
        self.feeds = {name: x.numpy() for name, x in zip(names, self.inputs)}

    def run(self):
        self.session.run(None, self.feeds)

    def results(self):
        return named(self.session.run(None, self.feeds))


class Openvino:
    def __init__(self, case, tensors, threads, precision):
        import openvino

        module = eager.load(case, tensors)
        self.inputs = [x.clone() for x in eager.inputs(tensors)]
        shapes = [list(x.shape) for x in self.inputs]
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore", FutureWarning)
            model = openvino.convert_model(module, example_input=tuple(self.inputs), input=shapes)
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        self.request = compiled.create_infer_request()
        for i, x in enumerate(self.inputs):
            self.request.set_input_tensor(i, openvino.Tensor(x.numpy(), shared_memory=True))

    def run(self):
        self.request.infer()

    def results(self):
        self.request.infer()
        return named([output.data for output in self.request.output_tensors])


def named(outputs):
    return {f"output.{i}": torch.from_numpy(numpy.array(y)) for i, y in enumerate(outputs)}
