"""Writes docs/memory_savings.png: the console page after a minute and a half of mixed load. Run by hand."""

import random
import subprocess
import tempfile
import time

import browser
import demo

SECONDS = 100
PAGE = (1280, 1480)
POLICIES = ["windowkv", "windowkv", "windowkv", "snapkv", "streaming_llm", "full"]
QUESTIONS = ["What is the access code for the Pedemouth vault?", "Summarize the document above."]


def start_request(it, rng, document):
    policy = rng.choice(POLICIES)
    budget = [] if policy == "full" else ["--budget-tokens", str(rng.choice([128, 256, 512]))]
    prompt = document[: rng.choice([4000, 12000, 20000])] + "\n\n" + rng.choice(QUESTIONS)
    return subprocess.Popen(
        [demo.program("windowkv"), "generate", "--target", it.grpc["windowkv-router"], "--chat", "--prompt", prompt]
        + ["--max-tokens", str(rng.choice([100, 200, 400])), "--ignore-eos", "--policy", policy, *budget],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main():
    demo.skip_without("prometheus", "chromium")
    document = (demo.ROOT / "tests/golden/data/example_document.txt").read_text()
    rng = random.Random(1)
    # A small pool, so that full caches would not do.
    with tempfile.TemporaryDirectory() as work, demo.demo(work, pool="64MiB") as it:
        begin = time.monotonic()
        clients = []
        while time.monotonic() < begin + SECONDS:
            clients = [client for client in clients if client.poll() is None]
            wanted = 2 if time.monotonic() < begin + SECONDS / 5 else 8
            while len(clients) < wanted:
                clients.append(start_request(it, rng, document))
            time.sleep(0.2)
        browser.screenshot(
            browser.console_page(it.prometheus, SECONDS), *PAGE, demo.ROOT / "docs/memory_savings.png"
        )
        for client in clients:
            client.kill()
            client.wait()


if __name__ == "__main__":
    main()
