"""Does with other libraries what `benches/peers` asks for, by lines of JSON; see protocol.rs.

    worker.py THREADS
"""

import importlib.metadata
import json
import os
import sys
import time

# Libraries print: only replies may go where replies are read.
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

# Progress is not to be read, and takes time.
os.environ["TQDM_DISABLE"] = "1"

import torch
from safetensors.torch import load_file, save_file

import detectors
import eager
import inference
import neighbors

THREADS = int(sys.argv[1])


class Server:
    def __init__(self):
        self.variants = {}

    def hello(self):
        names = ["torch", "torchvision", "onnxruntime", "openvino", "anomalib", "scikit-learn"]
        versions = []
        for name in names:
            try:
                versions.append((name, importlib.metadata.version(name)))
            except importlib.metadata.PackageNotFoundError:
                versions.append((name, "is not installed"))
        return {"libraries": versions}

    def load(self, name, case, file):
        self.variants.clear()
        self.case, self.tensors = case, load_file(file)

    def build(self, variant):
        tensors = self.tensors
        match variant:
            case "pytorch":
                built = eager.Eager(self.case, tensors)
            case "channels-last":
                built = eager.Eager(self.case, tensors, channels_last=True)
            case "fused":
                built = eager.Eager(self.case, tensors, fused=True)
            case "compiled":
                built = eager.Eager(self.case, tensors, compiled=True)
            case "onnxruntime":
                built = inference.Onnxruntime(self.case, tensors, THREADS)
            case "openvino":
                built = inference.Openvino(self.case, tensors, THREADS, "f32")
            case "openvino-bf16":
                built = inference.Openvino(self.case, tensors, THREADS, "bf16")
            case "anomalib":
                kinds = {"neighbors": neighbors.Neighbors, "coreset": neighbors.Coreset}
                kind = kinds.get(self.case["module"]["kind"], detectors.Padim)
                built = kind(self.case, tensors)
            case "scikit-learn":
                import estimators  # Slow to import, and not always there.

                built = estimators.ScikitLearn(self.case, tensors)
            case _:
                raise ValueError(f"no variant `{variant}` here")
        self.variants[variant] = built

    def results(self, variant, file):
        results = self.variants[variant].results()
        save_file({name: x.float().contiguous() for name, x in results.items()}, file)

    def time(self, variant, runs):
        run = self.variants[variant].run
        start = time.perf_counter_ns()
        for _ in range(runs):
            run()
        return {"nanoseconds": time.perf_counter_ns() - start}

    def drop(self):
        self.variants.clear()
        self.case = self.tensors = None

    def memory(self):
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        kibibytes = {key: int(status[key].split()[0]) for key in ("VmRSS", "VmHWM")}
        return {"resident_bytes": kibibytes["VmRSS"] << 10, "peak_bytes": kibibytes["VmHWM"] << 10}


def main():
    torch.set_num_threads(THREADS)
    server = Server()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = getattr(server, request.pop("do"))(**request) or {}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


main()
