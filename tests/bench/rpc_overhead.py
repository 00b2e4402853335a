"""What client → router → backend adds to a request, over calling the engine directly.

Starts a backend and a router on free loopback ports and sends requests of 16 prompt tokens and one generated
token, one after the other, once through the router and once to the backend.
"""

import contextlib
import json
import signal
import subprocess


@contextlib.contextmanager
def server(program, *flags):
    """Its gRPC address, from the ready line; stopped by process id at the end."""
    process = subprocess.Popen([program, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *map(str, flags)],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        words = process.stdout.readline().split()
        if "grpc" not in words:
            raise RuntimeError(f"{program} did not become ready")
        yield words[words.index("grpc") + 1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def median_seconds(client, target, ids, requests):
    """Median end-to-end time of one request at a time."""
    command = [client, "bench", "load", "--target", target, "--requests", str(requests), "--token-ids", ",".join(map(str, ids)),
               "--output-tokens", "1", "--policy", "full", "--json"]
    result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    if result["completed"] != requests:
        raise RuntimeError(f"only {result['completed']} of {requests} requests were done: {result['errors']}")
    return result["end_to_end_seconds"]["p50"]


def measure(bin_dir, model, dtype, threads, ids, requests=200):
    """Median seconds of a request through the router and to the backend."""
    with server(bin_dir / "windowkv-generation", "--model", model, "--dtype", dtype, "--threads", threads) as backend:
        with server(bin_dir / "windowkv-router", "--generation", backend) as router:
            return {"router": median_seconds(bin_dir / "windowkv", router, ids, requests),
                    "backend": median_seconds(bin_dir / "windowkv", backend, ids, requests)}
