#!/usr/bin/env python3
"""The example document's question for deploy/quickstart.sh.

    example_question.py prompt DIR                 prints the document, a blank line, the question
    example_question.py compare DIR FULL WINDOWKV  prints both answers beside the expected one and
                                                   a table of both receipts; exits 1 when an answer
                                                   is not the expected one

FULL and WINDOWKV hold what `windowkv generate --json` printed: one protobuf JSON message per line.
"""

import json
import pathlib
import sys


def seconds(duration):
    """Of a protobuf JSON duration such as "0.125s"."""
    return float((duration or "0s").rstrip("s"))


def mebibytes(count):
    return f"{int(count) / 2**20:.2f} MiB"


class Answer:
    """What one call came to. Fields that are zero do not appear in protobuf's JSON."""

    def __init__(self, path):
        messages = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        self.text = "".join(m["chunk"].get("text", "") for m in messages if "chunk" in m).strip()
        finished = next(m["finished"] for m in messages if "finished" in m)
        self.usage = finished["usage"]
        self.receipt = finished["receipt"]

    def task(self):
        task = self.receipt.get("task", "TASK_UNSPECIFIED").removeprefix("TASK_").lower()
        reason = self.receipt.get("fallback_reason")
        confidence = self.receipt.get("task_confidence")
        if reason or confidence:
            return f"{task} ({reason or format(confidence, '.2f')})"
        return "not asked"  # keeping everything depends on no task

    def kept(self):
        """{"layers 0-1": tokens kept} per layer group."""
        kept = {}
        for group in self.receipt.get("groups", []):
            first = group.get("first_layer", 0)
            last = first + group.get("num_layers", 0) - 1
            layers = f"layer {first}" if first == last else f"layers {first}-{last}"
            kept[layers] = group.get("kept_tokens", 0)
        return kept

    def tokens_per_second(self):
        """Of decoding: the tokens after the first, over the time from the first to the last."""
        decode = seconds(self.usage.get("decode"))
        after_first = self.usage.get("completion_tokens", 0) - 1
        return f"{after_first / decode:,.0f}" if decode > 0 and after_first > 0 else "-"

    def kept_share(self):
        full = int(self.receipt.get("bytes_full", 0))
        kept = self.receipt.get("bytes_kept", 0)
        return mebibytes(kept) + (f" ({100 * int(kept) / full:.1f} %)" if full else "")


def rows(full, windowkv):
    both = (full, windowkv)
    yield "", "full", "windowkv"
    yield ("prompt tokens", *(f"{a.usage.get('prompt_tokens', 0):,}" for a in both))
    yield ("task found", *(a.task() for a in both))
    # Without compression all layers keep the same: one number, shown in every group's row.
    whole = max(full.kept().values(), default=0)
    for layers, kept in windowkv.kept().items():
        yield f"tokens kept, {layers}", f"{full.kept().get(layers, whole):,}", f"{kept:,}"
    yield ("KV bytes, uncompressed", *(mebibytes(a.receipt.get("bytes_full", 0)) for a in both))
    yield ("KV bytes, kept", *(a.kept_share() for a in both))
    yield ("KV bytes, peak while reading",
           *(mebibytes(a.receipt.get("bytes_prefill_peak", 0)) for a in both))
    yield ("time to first token",
           *(f"{seconds(a.usage.get('time_to_first_token')):.2f} s" for a in both))
    yield ("tokens per second after it", *(a.tokens_per_second() for a in both))


def print_table(table):
    widths = [max(map(len, column)) for column in zip(*table)]
    for index, (name, *values) in enumerate(table):
        print(f"  {name:<{widths[0]}}", *(f"{v:>{w}}" for v, w in zip(values, widths[1:])), sep="   ")
        if index == 0:
            print("  " + "-" * (sum(widths) + 6))


def main():
    command, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    document = (directory / "example_document.txt").read_text(encoding="utf-8").removesuffix("\n")
    question = json.loads((directory / "example_question.json").read_text(encoding="utf-8"))
    if command == "prompt":
        sys.stdout.write(f"{document}\n\n{question['question']}")
        return 0
    full, windowkv = (Answer(pathlib.Path(path)) for path in sys.argv[3:5])
    print(f"  question            {question['question']}")
    print(f"  expected answer     {question['answer']}")
    print(f"  full cache          {full.text}")
    print(f"  compressed cache    {windowkv.text}\n")
    print_table(list(rows(full, windowkv)))
    return 0 if full.text == windowkv.text == question["answer"] else 1


if __name__ == "__main__":
    sys.exit(main())
