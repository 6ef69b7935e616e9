"""Where PyTorch computes, and how exactly."""

import contextlib
import time

import torch


class Place:
    def __init__(self, device, precision):
        self.device, self.precision = torch.device(device), precision
        exact = precision != "tf32"
        torch.backends.cuda.matmul.allow_tf32 = not exact
        torch.backends.cudnn.allow_tf32 = not exact
        # The first run of each size tries all algorithms.
        torch.backends.cudnn.benchmark = True

    def arithmetic(self):
        """The context of forward passes and losses."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def time(self, run, runs):
        """Nanoseconds, by the clock of the device if that is a GPU."""
        if self.device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(runs):
                run()
            end.record()
            end.synchronize()
            return int(start.elapsed_time(end) * 1e6)
        start = time.perf_counter_ns()
        for _ in range(runs):
            run()
        return time.perf_counter_ns() - start
