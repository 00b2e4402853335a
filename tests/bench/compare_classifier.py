"""Runs the classifier and its peer, transformers, in turns and prints ratios of their times.

    tests/bench/run.sh classifier          installs transformers beside the build, then calls this

Both classify the same texts with the same number of threads, one after the other, again and again: a ratio is the median
of the rounds' ratios, so that what else the machine does disturbs both. With --prompts FILE (a JSON object with a "text" a
line) it also counts how many get the same task in bfloat16 and float32.
"""

import argparse
import json
import math
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
DTYPES = ("float32", "bfloat16")
WARM_UP = 3
# What each measurement must reach, ours and theirs in the same dtype.
BOUNDS = {"one": ("time of one text of 512 pieces", "≤", 1.0), "mixed": ("throughput of 32 texts of 8 to 512 pieces", "≥", 1.3)}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="build directory")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "deploy/models/task_classifier")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15, help="timed turns of each (15)")
    parser.add_argument("--prompts", type=pathlib.Path, help="prompts to compare the dtypes' decisions on, a JSON object a line")
    return parser.parse_args()


def texts(model):
    """Parts of the golden documents with their question, of as many word pieces as wanted, [CLS] and [SEP] included; too
    short ones are the part alone."""
    tokenizer = transformers.BertTokenizer(str(model / "vocab.txt"), do_lower_case=True)
    lines = (ROOT / "tests/golden/data/long_documents.jsonl").read_text().splitlines()
    golden = [json.loads(line) for line in lines]
    documents = [entry["document"] for entry in golden]
    questions = ["\n\nQuestion: " + entry["question"] + "\nAnswer:" for entry in golden]
    asked = [len(tokenizer(question, add_special_tokens=False)["input_ids"]) for question in questions]
    spans = [tokenizer(document, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
             for document in documents]

    def prompt(which, first, length):
        fits = length > 2 * asked[which]
        last = first + length - 3 - (asked[which] if fits else 0)
        return documents[which][spans[which][first][0]:spans[which][last][1]] + (questions[which] if fits else "")

    rng = random.Random(5)
    lengths = [round(math.exp(rng.uniform(math.log(8), math.log(512)))) for _ in range(31)] + [512]
    rng.shuffle(lengths)
    mixed = [prompt(i % len(documents), rng.randrange(1000), length) for i, length in enumerate(lengths)]
    return {"one": [prompt(0, 0, 512)], "mixed": mixed}


class Program:
    """A program that answers a line with a line."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def measure(ours, theirs, name, rounds):
    """The rounds' ratios of times, theirs over ours."""
    for _ in range(WARM_UP):
        ours.ask(name), theirs.ask(name)
    ratios = []
    for _ in range(rounds):
        peer = theirs.ask(name)["seconds"]
        ratios.append(peer / ours.ask(name)["seconds"])
    return ratios


def compare_times(arguments, programs):
    print("| what | dtype | against transformers, same dtype | range | must reach | |")
    print("|---|---|---|---|---|---|")
    missed = 0
    for dtype in DTYPES:
        for name, (what, relation, bound) in BOUNDS.items():
            ratios = measure(*programs(dtype), name, arguments.rounds)
            if relation == "≤":
                ratios = [1 / ratio for ratio in ratios]
            ratio = statistics.median(ratios)
            holds = ratio <= bound if relation == "≤" else ratio >= bound
            missed += not holds
            quarters = statistics.quantiles(ratios)
            print(f"| {what} | {dtype} | {ratio:.2f}× | {quarters[0]:.2f}–{quarters[-1]:.2f} | {relation} {bound}× | "
                  f"{'holds' if holds else 'MISSED'} |")
    return missed


def compare_decisions(programs):
    tasks = [programs(dtype)[0].ask("prompts")["tasks"] for dtype in DTYPES]
    same = sum(a == b for a, b in zip(*tasks))
    share = same / len(tasks[0])
    print(f"\n{same} of {len(tasks[0])} prompts ({share:.2%}) get the same task in float32 and bfloat16; "
          f"must be ≥ 99.9 %: {'holds' if share >= 0.999 else 'MISSED'}.")
    return share < 0.999


def main():
    arguments = parse_arguments()
    entries = texts(arguments.model)
    if arguments.prompts:
        entries["prompts"] = [json.loads(line)["text"] for line in arguments.prompts.read_text().splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "texts.json"
        path.write_text(json.dumps(entries))
        running = {}

        def programs(dtype):
            if dtype not in running:
                shared = ["--model", arguments.model, "--texts", path, "--dtype", dtype, "--threads", arguments.threads]
                running[dtype] = (Program([arguments.build / "bin/classifier_bench", *shared]),
                                  Program([sys.executable, ROOT / "tests/bench/peer_classifier.py", *shared]))
            return running[dtype]

        missed = compare_times(arguments, programs)
        if arguments.prompts:
            missed += compare_decisions(programs)
        for pair in running.values():
            for program in pair:
                program.__exit__()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
