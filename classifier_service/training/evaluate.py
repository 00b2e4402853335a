"""Measures checkpoints on prompts with known tasks.

    python evaluate.py PROMPTS.jsonl DIR [DIR ...] [--confusion]

A line of PROMPTS has "text", "label" and "source" (the kind of prompt). With several checkpoints, which
differ in their seed, the mean and the spread are given.
"""

import argparse
import collections
import json
import statistics
from pathlib import Path

import torch
from transformers import AutoTokenizer, BertForSequenceClassification

import classifier

BINS = 15


def load(directory):
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = BertForSequenceClassification.from_pretrained(directory, dtype=torch.float32)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    temperature = json.loads((Path(directory) / "config.json").read_text()).get("temperature", 1.0)
    return tokenizer, model.to(device), temperature


def calibration_error(probabilities, labels):
    """Expected calibration error: |accuracy - confidence| over bins of confidence, by their size."""
    confidence, chosen = probabilities.max(dim=1)
    right = (chosen == labels).float()
    bins = (confidence * BINS).ceil().clamp(1, BINS)
    error = 0.0
    for number in bins.unique():
        inside = bins == number
        error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return float(error)


def macro_f1(chosen, labels):
    scores = []
    for label in range(len(classifier.LABELS)):
        hits = ((chosen == label) & (labels == label)).sum().item()
        scores.append(2 * hits / max(1, (chosen == label).sum().item() + (labels == label).sum().item()))
    return statistics.mean(scores), scores


def measure(directory, prompts):
    tokenizer, model, temperature = load(directory)
    rows = classifier.excerpts(tokenizer, [prompt["text"] for prompt in prompts])
    probabilities = (classifier.logits_of(model, rows) / temperature).softmax(dim=1)
    labels = torch.tensor([classifier.LABELS.index(prompt["label"]) for prompt in prompts])
    chosen = probabilities.argmax(dim=1)
    kinds = collections.defaultdict(list)
    for prompt, is_right in zip(prompts, (chosen == labels).tolist()):
        kinds[prompt["source"], prompt["label"]].append(is_right)
    return {
        "accuracy": (chosen == labels).float().mean().item(),
        "macro F1": macro_f1(chosen, labels)[0],
        "calibration error": calibration_error(probabilities, labels),
        "mean confidence": probabilities.max(dim=1).values.mean().item(),
        "kinds": {kind: statistics.mean(right) for kind, right in kinds.items()},
        "sizes": {kind: len(right) for kind, right in kinds.items()},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prompts", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    arguments = parser.parse_args()
    prompts = classifier.read_jsonl(arguments.prompts)
    results = [measure(directory, prompts) for directory in arguments.checkpoints]
    for name in ("accuracy", "macro F1", "calibration error", "mean confidence"):
        values = [result[name] for result in results]
        spread = f"  from {min(values):.4f} to {max(values):.4f}" if len(values) > 1 else ""
        print(f"{name:<20} {statistics.mean(values):.4f}{spread}")
    print()
    for kind, size in sorted(results[0]["sizes"].items()):
        values = [result["kinds"][kind] for result in results]
        spread = f"  from {min(values):.3f} to {max(values):.3f}" if len(values) > 1 else ""
        print(f"{kind[0]:<28} {kind[1]:<14} {size:>4}  {statistics.mean(values):.3f}{spread}")


if __name__ == "__main__":
    main()
