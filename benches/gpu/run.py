"""Tests and times what `scripts/gpu-check` built, on this machine's GPU, and prints one table.

    run.py [--out FOLDER] [--seconds N] [STEP ...]

Steps, all by default, in this order: `operations`, `suites`, `sanitizer`, `bench`, `scene`. Each writes its
log and its part of `results.json` to the folder (`results` beside this file), so that a run that was cut off
can be finished by naming what is left; `table` prints what is there.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# What the programs load, and where NVIDIA's wheels, on which PyTorch stands, have it.
LIBRARIES = ("libcublas.so.13", "libcurand.so.10", "libnvrtc.so.13", "libcudnn.so.9")
RESULT = re.compile(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
FAILED = re.compile(r"^test (\S+) \.\.\. FAILED", re.MULTILINE)
# What the paper needs for a scene of that size.
PAPER_SECONDS = 200


def library_folders():
    """Folders of NVIDIA's libraries in Python's packages."""
    folders = []
    for path in map(pathlib.Path, sys.path):
        folders += sorted({str(file.parent) for file in path.glob("nvidia/**/lib*.so.*")})
    return folders


def environment(**more):
    folders = library_folders() + [os.environ.get("LD_LIBRARY_PATH", "")]
    python = [str(HERE / "site"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "LD_LIBRARY_PATH": ":".join(filter(None, folders)),
        "PYTHONPATH": ":".join(filter(None, python)),
        "OCELLUS_TESTDATA": str(HERE / "data"),
        **more,
    }


class Check:
    def __init__(self, out, seconds):
        self.out, self.seconds = out, seconds
        out.mkdir(parents=True, exist_ok=True)
        self.file = out / "results.json"
        self.results = json.loads(self.file.read_text()) if self.file.exists() else {}

    def keep(self, step, name, result):
        self.results.setdefault(step, {})[name] = result
        beside = self.file.with_suffix(".tmp")
        beside.write_text(json.dumps(self.results, indent=1))
        beside.replace(self.file)

    def unpacked(self):
        """The folder of tests and programs, unpacked when it is first asked for."""
        folder = self.out / "unpacked"
        if not folder.exists():
            partial = self.out / "unpacked.tmp"
            shutil.rmtree(partial, ignore_errors=True)
            with tarfile.open(HERE / "programs.tar.xz") as packed:
                packed.extractall(partial)
            partial.rename(folder)
        return folder

    def program(self, name):
        return self.unpacked() / name

    def call(self, log, command, **more):
        """Runs a command; its output goes to a log, the end of which is returned with the status."""
        path = self.out / f"{log}.log"
        with open(path, "w") as file:
            try:
                status = subprocess.run(
                    [str(part) for part in command],
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=environment(**more),
                    timeout=self.seconds,
                    cwd=self.out,
                ).returncode
            except subprocess.TimeoutExpired:
                status = "timeout"
        return status, path.read_text(errors="replace")

    def tests(self, step, name, command, **more):
        status, text = self.call(f"{step}-{name}", command, **more)
        passed, failed, ignored = map(sum, zip(*map(numbers, RESULT.findall(text)), (0, 0, 0)))
        result = {"status": status, "passed": passed, "failed": failed, "ignored": ignored}
        self.keep(step, name, result | {"failures": FAILED.findall(text)})
        print(f"{step} {name}: {result}", flush=True)

    def operations(self):
        """Every operation on CUDA tensors against the CPU, in all types, twice for the same bits."""
        for name in ("ocellus-ops.lib", "ocellus-train.lib", "ocellus-anomaly.lib"):
            self.tests("operations", name, [self.program(f"tests/{name}"), "a_gpu"])

    def suites(self):
        """Every gradient check, golden and property of the crates, with all operations on the GPU."""
        for program in sorted((self.unpacked() / "tests").iterdir()):
            self.tests("suites", program.name, [program, "--test-threads=4"], OCELLUS_MIRROR="1")

    def sanitizer(self):
        tool = shutil.which("compute-sanitizer")
        if tool is None:
            self.keep("sanitizer", "compute-sanitizer", {"status": "not on the PATH: not run"})
            return
        for kind in ("memcheck", "racecheck", "initcheck", "synccheck"):
            program = [self.program("tests/ocellus-ops.lib"), "a_gpu", "--test-threads=1"]
            command = [tool, "--tool", kind, "--error-exitcode", "9", *program]
            self.tests("sanitizer", kind, command)

    def bench(self):
        peers = ["--peers", "pytorch,channels-last,compiled", "--repetitions", "10"]
        where = ["--device", "cuda", "--scripts", HERE / "peers", "--python", sys.executable]
        for precision in ("f32", "tf32", "bf16"):
            file = self.out / f"bench-{precision}.json"
            command = [self.program("programs/peers"), "compare", *peers, *where]
            command += ["--precision", precision, "--json", file]
            status, text = self.call(f"bench-{precision}", command)
            cases = json.loads(file.read_text())["cases"] if file.exists() else []
            self.keep("bench", precision, {"status": status, "cases": cases})
            print(text, flush=True)

    def scene(self):
        """A scene of the paper's size, from files to files, by its deepest network."""
        program, folder = self.program("programs/satellite"), self.out / "scene"
        shutil.rmtree(folder, ignore_errors=True)
        network = ["--network", "prop-152", "--channels", "64", "--quick", "--device", "cuda"]
        steps = {
            "synthesize": ["synthesize", "--width", "8700", "--height", "6600", "--out", folder],
            "train": ["train", *network, "--out", folder / "network"],
        }
        for name, arguments in steps.items():
            status, text = self.call(f"scene-{name}", [program, *arguments])
            if status != 0:
                self.keep("scene", "D22", {"status": f"{name}: {status}", "said": text[-400:]})
                return
        image = next((folder / "images").glob("*.tif"))
        command = [program, "segment", image, "--model", folder / "network/model.safetensors"]
        start = time.monotonic()
        status, text = self.call(
            "scene-segment", [*command, "--device", "cuda", "--out", folder / "map"]
        )
        result = {"status": status, "seconds": round(time.monotonic() - start, 1)}
        self.keep("scene", "D22", result | ({} if status == 0 else {"said": text[-400:]}))
        print(f"scene: {result}", flush=True)

    def table(self):
        print(f"\n{'what':58}{'ours':>12}{'peer':>12}{'ratio':>8}  note")
        for step in ("operations", "suites", "sanitizer"):
            for name, result in self.results.get(step, {}).items():
                counts = f"{result['passed']}/{result['failed']}" if "passed" in result else "–"
                note = ", ".join(result.get("failures", [])[:3])
                note = note or ("" if result["status"] == 0 else f"status {result['status']}")
                print(f"{f'{step} {name} (passed/failed)':58}{counts:>12}{'':>20}  {note}")
        for precision, run in self.results.get("bench", {}).items():
            for case in run["cases"]:
                ours = median(case["ours"])
                for peer in case["peers"]:
                    theirs = median(peer["times"])
                    note = "" if peer["agrees"] else f"differs by {peer['difference']:.0e}"
                    name = f"{case['case']} {precision} beside {peer['peer']}, ms"
                    print(f"{name:58}{ours:12.2f}{theirs:12.2f}{ours / theirs:8.2f}  {note}")
        for name, result in self.results.get("scene", {}).items():
            seconds = result.get("seconds", float("nan"))
            note = "" if result["status"] == 0 else f"{result['status']} {result.get('said', '')}"
            what = f"{name}, 8700×6600×4, depth 152, s (peer: the paper)"
            print(f"{what:58}{seconds:12.1f}{PAPER_SECONDS:12}{seconds / PAPER_SECONDS:8.2f}  {note}")


def numbers(texts):
    return [int(text) for text in texts]


def median(seconds):
    ordered, half = sorted(seconds), len(seconds) // 2
    middle = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return 1e3 * middle


def main():
    steps = ["operations", "suites", "sanitizer", "bench", "scene"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"{', '.join(steps)}, table")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--seconds", type=int, default=1800, help="the limit of one command")
    arguments = parser.parse_args()
    unknown = set(arguments.steps) - {*steps, "table"}
    if unknown:
        parser.error(f"no step {', '.join(sorted(unknown))}: there are {', '.join(steps)}, table")
    check = Check(arguments.out.resolve(), arguments.seconds)
    for step in arguments.steps or steps:
        if step != "table":
            getattr(check, step)()
    check.table()


main()
