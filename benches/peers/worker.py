"""Does with other libraries what `benches/peers` asks for, by lines of JSON; see protocol.rs.

    worker.py THREADS DEVICE PRECISION
"""

import importlib.metadata
import json
import os
import sys

# Libraries print: only replies may go where replies are read.
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

# Progress is not to be read, and takes time.
os.environ["TQDM_DISABLE"] = "1"

import torch
from safetensors.torch import load_file, save_file

import detectors
import eager
import neighbors
import place

THREADS = int(sys.argv[1])
PLACE = place.Place(*sys.argv[2:4])


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
                built = eager.Eager(self.case, tensors, PLACE)
            case "channels-last":
                built = eager.Eager(self.case, tensors, PLACE, channels_last=True)
            case "fused":
                built = eager.Eager(self.case, tensors, PLACE, fused=True)
            case "compiled":
                built = eager.Eager(self.case, tensors, PLACE, compiled=True)
            case "onnxruntime" | "openvino" | "openvino-bf16":
                import inference  # Of the CPU alone, and not always there.

                built = inference.build(variant, self.case, tensors, THREADS)
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
        save_file({name: x.float().contiguous().cpu() for name, x in results.items()}, file)

    def time(self, variant, runs):
        return {"nanoseconds": PLACE.time(self.variants[variant].run, runs)}

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
