"""Requests that keep a router busy, each by the command line client, and what became of every one."""

import collections
import json
import re
import subprocess
import threading
import time

import tools

# What the client says of an error that came with google.rpc details: the code, and when to try again.
_TYPED = re.compile(r"^windowkv: UNAVAILABLE: .*; retry after ")

# Every request is one of these.
KINDS = ("completed", "broken off", "lost", "without details")


def _kind(messages, exit_code, error):
    if exit_code == 0 and messages and "finished" in messages[-1]:
        return "completed"
    if not messages:
        return "lost"
    # Its stream had begun: nobody else can go on with it, and the client must get to know why.
    return "broken off" if exit_code == 1 and _TYPED.match(error) else "without details"


def _line(phase, of_kinds, fallbacks, seconds):
    return f"{phase:30}" + "".join(f"{one:>17}" for one in (*of_kinds, fallbacks)) + f"{seconds:>9}"


class Load:
    """`workers` requests at any time from the namespace `pod`, until it is stopped."""

    def __init__(self, pod, target, workers):
        self._pod, self._target = pod, target
        self._lock = threading.Lock()
        self._stopping = False
        self._sent = 0
        self._phase = None
        self.counts = {}  # phase → kind → requests that ended in it
        self.began = {}  # phase → when
        self.fallbacks = collections.Counter()  # phase → requests that took the default task
        self.surprises = []  # what the client said of those that should not be
        self._threads = [threading.Thread(target=self._work) for _ in range(workers)]

    def start(self, phase):
        self.begin(phase)
        for thread in self._threads:
            thread.start()

    def begin(self, phase):
        """What ends from now on counts for `phase`."""
        with self._lock:
            self._phase = phase
            self.counts[phase] = collections.Counter()
            self.began[phase] = time.monotonic()

    def stop(self):
        """Sends no more, and waits for what is under way."""
        with self._lock:
            self._stopping = True
        for thread in self._threads:
            if thread.ident:
                thread.join()

    def _work(self):
        while True:
            with self._lock:
                if self._stopping:
                    return
                self._sent += 1
                number = self._sent
            messages, exit_code, error = self._ask(number)
            self._count(_kind(messages, exit_code, error), messages, error)

    def _ask(self, number):
        # Another text each time, so that the router asks a classifier.
        prompt = f"Which wind went over the library on day {number}, and where did it go?"
        client = subprocess.run(
            ["nsenter", f"--net=/run/netns/{self._pod.name}", tools.BIN / "windowkv", "generate",
             "--target", self._target, "--json", "--prompt", prompt, "--policy", "windowkv",
             "--budget-tokens", "64", "--ignore-eos", "--max-tokens", str(50 + number % 5 * 50)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170, check=False)
        messages = [json.loads(line) for line in client.stdout.splitlines()]
        return messages, client.returncode, client.stderr.strip()

    def _count(self, kind, messages, error):
        accepted = messages[0].get("accepted", {}) if messages else {}
        with self._lock:
            self.counts[self._phase][kind] += 1
            if accepted.get("task", {}).get("fallback_reason", "").startswith("classifier"):
                self.fallbacks[self._phase] += 1
            if kind in ("lost", "without details"):
                self.surprises.append(f"{self._phase}: {kind}: {error}")

    def report(self):
        lines = [_line("", KINDS, "default task", "seconds")]
        ends = [*list(self.began.values())[1:], time.monotonic()]
        for (phase, counts), end in zip(self.counts.items(), ends):
            lines.append(_line(phase, (counts[kind] for kind in KINDS), self.fallbacks[phase],
                               f"{end - self.began[phase]:.0f}"))
        total = sum(self.counts.values(), collections.Counter())
        lines.append(_line("all", (total[kind] for kind in KINDS), self.fallbacks.total(),
                           f"{ends[-1] - min(self.began.values(), default=ends[-1]):.0f}"))
        return "\n".join([*lines, *self.surprises])
