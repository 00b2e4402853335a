#!/usr/bin/env python3
"""One router, two classifiers and three generation backends in network namespaces, with the flags of
the manifests; Pods are killed, drained and cut off while requests come. Prints what became of them.

A request is lost when it failed before the router had handed on its first message: there must be none.
One whose stream had begun when its backend was killed must end with an error that says so.

rehearsal.py --short leaves out what takes gRPC half a minute to notice: new addresses, silent hosts."""

import argparse
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kubernetes"))

import tools  # noqa: E402

tools.require_wheels()
tools.require_programs()
if not (tools.BIN / "windowkv").is_file():
    tools.skip(f"{tools.BIN / 'windowkv'} is not built")

import pods  # noqa: E402

pods.enter()

import load  # noqa: E402

OVERLAY = pathlib.Path(__file__).resolve().parent / "overlay"
_WORKERS = 24
_PATIENCE_S = 60


def wait_for(what, condition):
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {_PATIENCE_S} s")
        time.sleep(0.05)


class Rehearsal:
    def __init__(self):
        self.cluster = pods.Cluster(OVERLAY)
        self.pods = self.cluster.pods
        client = self.cluster.add("client", "client")
        self.cluster.attach(client, self.cluster.new_address())
        self.load = load.Load(client, "windowkv-router:50050", _WORKERS)
        self.router = self.pods["windowkv-router-0"]
        self.wrong = []

    def start(self):
        for pod in sorted(self.pods.values(), key=lambda pod: pod.program):
            if pod.program != "client":  # the router comes last
                pod.start(self.cluster.new_address())
        self.load.start("as it should be")
        self.wait_for_answers(_WORKERS)

    def of_backend(self, metric, name):
        """The router's figure for a backend."""
        pattern = rf'(?m)^{metric}{{backend="{name}\.windowkv-generation:50051"}} (\S+)$'
        return float(re.search(pattern, self.router.metrics())[1])

    def wait_until_busy(self, name):
        """More than run at once: some have no answer yet."""
        wait_for(f"{name} to be busy",
                 lambda: self.of_backend("windowkv_router_open_streams", name) > 4)

    def wait_until(self, name, up):
        wait_for(f"{name} to be {'up' if up else 'down'}",
                 lambda: self.of_backend("windowkv_router_backend_up", name) == up)

    def wait_for_answers(self, more):
        """Until so many more requests have been answered in this phase."""
        counts = self.load.counts[list(self.load.counts)[-1]]
        before = counts["completed"]
        wait_for(f"{more} answers", lambda: counts["completed"] >= before + more)

    def kill(self, name):
        self.load.begin(f"{name} is killed"[len("windowkv-"):])
        self.wait_until_busy(name)
        self.pods[name].kill()
        self.wait_until(name, up=False)
        self.wait_for_answers(_WORKERS)
        self.pods[name].start(self.pods[name].address)  # a container's restart keeps the address
        self.wait_until(name, up=True)
        self.wait_for_answers(_WORKERS)

    def drain(self, name, moves):
        phase = f"{name} is replaced"[len("windowkv-"):]
        self.load.begin(phase)
        self.wait_until_busy(name)
        code = self.pods[name].drain()
        address = self.cluster.new_address() if moves else self.pods[name].address
        self.pods[name].start(address)
        self.wait_until(name, up=True)
        self.wait_until_busy(name)
        self.wait_for_answers(_WORKERS)
        if code != 0:
            self.wrong.append(f"{name} ended with {code} when it was drained")
        if self.load.counts[phase]["broken off"]:
            self.wrong.append(f"{phase}: a drain breaks no stream off")

    def kill_classifiers(self):
        self.load.begin("both classifiers are killed")
        for name in ("windowkv-classifier-0", "windowkv-classifier-1"):
            self.pods[name].kill()
            self.wait_for_answers(_WORKERS)
        for name in ("windowkv-classifier-0", "windowkv-classifier-1"):
            self.pods[name].start(self.pods[name].address)
        self.wait_for_answers(_WORKERS)

    def cut_off(self, name):
        self.load.begin(f"{name} is cut off"[len("windowkv-"):])
        self.wait_until_busy(name)
        self.pods[name].set_link("down")
        self.wait_until(name, up=False)
        wait_for("its streams to end",
                 lambda: self.of_backend("windowkv_router_open_streams", name) == 0)
        self.pods[name].set_link("up")
        self.wait_until(name, up=True)
        self.wait_for_answers(_WORKERS)

    def judge(self):
        for counts in self.load.counts.values():
            for kind in ("lost", "without details"):
                if counts[kind]:
                    self.wrong.append(f"{counts[kind]} requests {kind}")
        if not any("is killed" in phase and counts["broken off"]
                   for phase, counts in self.load.counts.items()):
            self.wrong.append("no stream was broken off: nothing ran where a backend was killed")

    def finish(self):
        self.load.stop()
        for name in reversed(self.pods):
            if self.pods[name].program != "client" and self.pods[name].drain() != 0:
                self.wrong.append(f"{name} did not end well: {self.pods[name].log()[-2000:]}")

    def run(self, short):
        self.start()
        self.kill("windowkv-generation-0")
        if short:
            self.drain("windowkv-generation-2", moves=False)
            self.kill_classifiers()
        else:
            # An upgrade, as a StatefulSet does it: the highest number first, each with a new address.
            for number in (2, 1):
                self.drain(f"windowkv-generation-{number}", moves=True)
            self.kill_classifiers()
            self.cut_off("windowkv-generation-1")
        self.finish()
        self.judge()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    rehearsal = Rehearsal()
    try:
        rehearsal.run(arguments.short)
    finally:
        rehearsal.load.stop()
        print(rehearsal.load.report())
        print(f"{time.monotonic() - began:.0f} s")
        rehearsal.cluster.stop()
    for line in rehearsal.wrong:
        print(line)
    return 1 if rehearsal.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
