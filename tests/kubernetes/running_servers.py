"""Starts programs with the flags that a workload gives them, on loopback instead of in a Pod."""

import os
import pathlib
import re
import subprocess
import tempfile
import urllib.request

import manifests
import tools

READY = re.compile(r" ready: grpc (\S+) http (\S+)$")


class Server:
    """A running program. Owned by the test; stop() ends it."""

    def __init__(self, process, directory):
        self._process = process
        self._directory = directory
        match = READY.search(process.stdout.readline().strip())
        if not match:
            raise AssertionError(f"not ready: {process.communicate(timeout=30)[1]}")
        self.grpc, self.http = match.groups()

    def stop(self):
        """Ends it as the kubelet does; its exit code, and what it logged."""
        self._process.terminate()
        try:
            log = self._process.communicate(timeout=70)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            log = self._process.communicate()[1]
        self._directory.cleanup()
        return self._process.returncode, log


def command(objects, item, directory, replaced, backends):
    """The workload's arguments and variables for this machine: the files of its ConfigMaps lie in
    `directory`, models come from this tree, `replaced` has other values for flags, and `backends`
    for the names that DNS would know."""
    for name in manifests.config_maps(item).values():
        for file, text in manifests.named(objects, "ConfigMap", name)["data"].items():
            for there, here in {"/models/": f"{tools.ROOT}/deploy/models/", **backends}.items():
                text = text.replace(there, here)
            (pathlib.Path(directory) / file).write_text(text, encoding="utf-8")
    arguments = []
    for argument in manifests.server(item)["args"]:
        flag, _, value = argument.partition("=")
        value = replaced.get(flag, value)
        arguments.append(f"{flag}={value.replace('/etc/windowkv', str(directory), 1)}")
    # A developer's own flags would hide what the manifest does not give; a Pod has no proxy.
    variables = {name: value for name, value in os.environ.items()
                 if not name.startswith("WINDOWKV_") and not name.lower().endswith("_proxy")}
    variables |= {one["name"]: one["value"] for one in manifests.server(item)["env"]}
    variables["OMP_WAIT_POLICY"] = "passive"  # an idle parallel region does not spin
    return [str(tools.BIN / item["metadata"]["name"]), *arguments], variables


def start(objects, program, backends, listen="127.0.0.1:0"):
    directory = tempfile.TemporaryDirectory()
    arguments, variables = command(objects, manifests.workload(objects, program), directory.name,
                                   {"--listen": listen, "--http": "127.0.0.1:0"}, backends)
    process = subprocess.Popen(arguments, env=variables, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return Server(process, directory)


def parse_only(objects, program):
    """Lets the program read all its flags but refuse to listen: its exit code and its words. The
    address is looked at when every flag has been read."""
    with tempfile.TemporaryDirectory() as directory:
        arguments, variables = command(objects, manifests.workload(objects, program), directory,
                                       {"--listen": "nowhere"}, {})
        result = subprocess.run(arguments, env=variables, capture_output=True, text=True,
                                timeout=30)
    return result.returncode, result.stderr.strip()


def read(address, path):
    """The body of an answer 200; OSError for any other."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{address}{path}", timeout=5) as response:
        return response.read().decode()
