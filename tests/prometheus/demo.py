"""The three servers with the demo models, a Prometheus that scrapes them, and requests to make it interesting."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
CONSOLE_LIBRARIES = pathlib.Path("/usr/share/doc/prometheus/examples/console_libraries")
SKIPPED = 77  # ctest shows it
PATIENCE_S = 60
# What deploy/prometheus/prometheus.yml scrapes, and which server is there by default.
DEFAULT_TARGETS = {
    "127.0.0.1:9100": "windowkv-router",
    "127.0.0.1:9101": "windowkv-generation",
    "127.0.0.1:9102": "windowkv-classifier",
}

# Loopback is never behind a proxy.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def skip_without(*programs):
    for program in programs:
        if shutil.which(program) is None:
            print(f"SKIPPED: {program} is not installed: deploy/install_dependencies.sh --checks")
            sys.exit(SKIPPED)


def program(name):
    default = ROOT / "build/release/bin"
    return str(pathlib.Path(os.environ.get("WINDOWKV_BIN_DIR", default)) / name)


def get(url):
    with _opener.open(url, timeout=PATIENCE_S) as answer:
        return answer.read().decode()


def responds(url):
    try:
        return bool(get(url))
    except urllib.error.URLError:
        return False


def wait_for(what, condition, timeout_s=PATIENCE_S):
    """Polls until `condition()` gives something true, and returns that."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise TimeoutError(what)


@contextlib.contextmanager
def running(arguments, log):
    """A process that is stopped at the end of the block."""
    with open(log, "wb") as output:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Demo:
    """Owned by the block of `demo()`."""

    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.grpc = {}
        self.http = {}
        self.prometheus = ""  # URL

    def log(self, name):
        return self.work / f"{name}.log"

    def start_server(self, stack, name, *flags):
        log = self.log(name)
        arguments = [program(name), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *flags]
        process = stack.enter_context(running(arguments, log))

        def ready_line():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended:\n{log.read_text()}")
            return [line for line in log.read_text().splitlines() if line.startswith(f"{name} ready: ")]

        words = wait_for(f"{name} to be ready", ready_line)[0].split()
        self.grpc[name], self.http[name] = words[3], words[5]

    def start_prometheus(self, stack, scrape_interval):
        """Prometheus with the committed configuration, on the ports that the servers got."""
        for file in PROMETHEUS.glob("*.yml"):
            text = file.read_text().replace("scrape_interval: 5s", f"scrape_interval: {scrape_interval}")
            text = text.replace("evaluation_interval: 15s", f"evaluation_interval: {scrape_interval}")
            for target, name in DEFAULT_TARGETS.items():
                text = text.replace(target, self.http[name])
            (self.work / file.name).write_text(text)
        log = self.log("prometheus")
        process = stack.enter_context(
            running(
                [
                    "prometheus",
                    f"--config.file={self.work}/prometheus.yml",
                    f"--storage.tsdb.path={self.work}/data",
                    "--web.listen-address=127.0.0.1:0",
                    f"--web.console.templates={PROMETHEUS}/consoles",
                    f"--web.console.libraries={CONSOLE_LIBRARIES}",
                    "--log.format=json",
                ],
                log,
            )
        )

        def address():
            if process.poll() is not None:
                raise RuntimeError(f"prometheus ended:\n{log.read_text()}")
            lines = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
            # The port it got is in the log alone.
            return [line["address"] for line in lines if "Listening on" in line.get("msg", "")]

        self.prometheus = "http://" + wait_for("prometheus to listen", address)[0]
        wait_for("prometheus to be ready", lambda: responds(self.prometheus + "/-/ready"))

    def query(self, expression):
        """The result of an instant query; raises when it does not parse."""
        url = f"{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            answer = json.loads(get(url))
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expression}: {error.read().decode()}") from error
        return answer["data"]["result"]

    def generate(self, prompt, *flags):
        """The receipt of a request through the router, as the client got it."""
        done = subprocess.run(
            [program("windowkv"), "generate", "--target", self.grpc["windowkv-router"], "--prompt", prompt]
            + ["--max-tokens", "4", "--json", *flags],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout.splitlines()[-1])["finished"]["receipt"]


@contextlib.contextmanager
def demo(work, scrape_interval="1s", pool="64MiB"):
    """Classifier, generation server, router and Prometheus, all running."""
    models = ROOT / "deploy/models"
    with contextlib.ExitStack() as stack:
        it = Demo(work)
        it.start_server(stack, "windowkv-classifier", "--model", f"{models}/task_classifier")
        it.start_server(
            stack, "windowkv-generation", "--model", f"{models}/demo_llama", "--kv-pool-bytes", pool
        )
        it.start_server(
            stack,
            "windowkv-router",
            "--classifier",
            it.grpc["windowkv-classifier"],
            "--generation",
            it.grpc["windowkv-generation"],
        )
        it.start_prometheus(stack, scrape_interval)
        yield it
