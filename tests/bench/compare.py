"""Runs the engine's benchmark and its peer, transformers, one after the other and prints ratios.

    tests/bench/run.sh                     installs transformers beside the build, then calls this

Times are never printed alone: machines differ. A row is a ratio within this run, the bound it must
keep, and whether it does.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import rpc_overhead

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="build directory")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "deploy/models/demo_llama")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5, help="timed prefills per length")
    parser.add_argument("--requests", type=int, default=200, help="requests of one token, for the cost of the services")
    parser.add_argument("--json", type=pathlib.Path, help="also write every measurement here")
    return parser.parse_args()


def prompt_ids(tokens):
    """The example document's ids, repeated up to `tokens`."""
    golden = json.loads((ROOT / "tests/golden/data/demo_llama.json").read_text())
    ids = next(case["input_ids"] for case in golden["cases"] if case["name"] == "example_document")
    return (ids * (tokens // len(ids) + 1))[:tokens]


def run(command):
    """The JSON lines a program prints."""
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def pick(lines, what, **wanted):
    for line in lines:
        if line["what"] == what and all(line.get(key) == value for key, value in wanted.items()):
            return line
    raise KeyError(f"no {what} with {wanted}")


def rows(engine, peer, lengths):
    for tokens in lengths:
        ours = pick(engine, "prefill", tokens=tokens)
        yield (f"time to first token, {tokens:,} tokens, WINDOWKV 256", "transformers' prefill",
               ours["seconds"] / pick(peer, "prefill", tokens=tokens)["seconds"], "≤", 1.0)
    step = pick(peer, "decode_step")["seconds"]
    full = pick(engine, "decode_step", policy="full", batch=1)["seconds"]
    one = pick(engine, "decode_step", policy="windowkv", batch=1)["seconds"]
    eight = pick(engine, "decode_step", policy="windowkv", batch=8)["seconds"]
    yield "decode step at 8,000 tokens, FULL", "transformers'", full / step, "≤", 0.4
    yield "decode step at 8,000 tokens, WINDOWKV 256", "transformers', full cache", one / step, "≤", 0.2
    yield "tokens/s of 8 streams of 8,000 tokens, WINDOWKV 256", "one stream", 8 * one / eight, "≥", 4.0
    ours = pick(engine, "prefill_memory")
    yield ("extra memory while reading 8,000 tokens", "transformers'",
           ours["bytes"] / pick(peer, "prefill_memory")["bytes"], "≤", 0.5)


def print_table(table):
    print("| what | against | ratio | must reach | |")
    print("|---|---|---|---|---|")
    missed = 0
    for what, against, ratio, relation, bound in table:
        holds = ratio <= bound if relation == "≤" else ratio >= bound
        missed += not holds
        print(f"| {what} | {against} | {ratio:.2f}× | {relation} {bound}× | {'holds' if holds else 'MISSED'} |")
    return missed


def print_memory(engine):
    memory = pick(engine, "prefill_memory")
    mib = 1 << 20
    print(f"\nReading {memory['tokens']:,} tokens: KV peak by the receipt {memory['receipt_bytes'] / mib:.1f} MiB "
          f"(kept {memory['kept_bytes'] / mib:.1f}, a full cache {memory['full_bytes'] / mib:.1f}); the process grew by "
          f"{memory['bytes'] / mib:.1f} MiB, activations included.")


def print_services(engine, services):
    """The one bound in milliseconds: what the services add does not depend on the model."""
    direct = pick(engine, "request")["seconds"]
    added = (services["router"] - direct) * 1e3
    print(f"\nOne request of one token, p50: client → router → backend takes {added:.2f} ms more than calling the engine "
          f"({(services['backend'] - direct) * 1e3:.2f} ms without the router); must be ≤ 2 ms: "
          f"{'holds' if added <= 2 else 'MISSED'}.")
    return added > 2


def main():
    arguments = parse_arguments()
    lengths = [2000, 6000, 8000]
    with tempfile.TemporaryDirectory() as folder:
        ids = pathlib.Path(folder) / "ids.json"
        ids.write_text(json.dumps(prompt_ids(max(lengths))))
        shared = ["--model", arguments.model, "--ids", ids, "--dtype", arguments.dtype,
                  "--threads", arguments.threads, "--runs", arguments.runs]
        engine = run([arguments.build / "bin/engine_bench", *shared, "--requests", arguments.requests])
        peer = run([sys.executable, ROOT / "tests/bench/peer_transformers.py", *shared])
    services = rpc_overhead.measure(arguments.build / "bin", arguments.model, arguments.dtype, arguments.threads,
                                    prompt_ids(16), arguments.requests)
    if arguments.json:
        arguments.json.write_text(json.dumps({"engine": engine, "peer": peer, "services": services}, indent=1))
    missed = print_table(list(rows(engine, peer, lengths)))
    print_memory(engine)
    missed += print_services(engine, services)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
