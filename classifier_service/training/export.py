"""Writes a trained checkpoint as the classifier service reads it: float16 weights, vocabulary, and a
config.json with the temperature that calibrates it.

    python export.py TRAINED SOURCES.json.gz OUT

The temperature is fitted on made prompts that training has not seen, with pieces missing: on whole ones
the model is nearly always right, which would teach it more confidence than real prompts bear out.
"""

import argparse
import json
import random
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import AutoTokenizer, BertForSequenceClassification

import classifier
import prompts

SEED = 1_000_000  # of the prompts; far from any that is trained with
PROMPTS = 2_000
MISSING = 0.15  # of all pieces
# What the service reads of config.json, beside the shape; the rest is transformers' own.
DROPPED = ("add_cross_attention", "bos_token_id", "eos_token_id", "is_decoder", "use_cache",
           "tie_word_embeddings", "gradient_checkpointing", "classifier_dropout")


def damaged(row, rng):
    """A row with some of its pieces left out; [CLS] and [SEP] stay."""
    return [row[0]] + [piece for piece in row[1:-1] if rng.random() >= MISSING] + [row[-1]]


def fit_temperature(logits, labels):
    """The temperature of the smallest cross-entropy."""
    log_temperature = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=100)

    def closure():
        optimizer.zero_grad()
        loss = functional.cross_entropy(logits / log_temperature.exp(), labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    return log_temperature.exp().item()


def calibrate(directory, sources):
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = BertForSequenceClassification.from_pretrained(directory, dtype=torch.float32)
    made = [prompt for prompt in prompts.make(sources, PROMPTS, SEED) if prompt["localization"] != 0.5]
    rng = random.Random(SEED)
    rows = [damaged(row, rng) for row in
            classifier.excerpts(tokenizer, [prompt["text"] for prompt in made])]
    labels = torch.tensor([int(prompt["localization"] == 0) for prompt in made])
    logits = classifier.logits_of(model, rows)
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    temperature = fit_temperature(logits, labels)
    print(f"temperature {temperature:.3f} on {len(rows)} damaged prompts, accuracy {accuracy:.4f}")
    return temperature


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trained", type=Path)
    parser.add_argument("sources", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    temperature = calibrate(arguments.trained, arguments.sources)
    arguments.out.mkdir(parents=True, exist_ok=True)
    weights = load_file(arguments.trained / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in weights.items() if tensor.is_floating_point()},
              arguments.out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((arguments.trained / "config.json").read_text(encoding="utf-8"))
    config = {key: value for key, value in config.items() if key not in DROPPED}
    config |= {"dtype": "float16", "classifier_input": "pooler", "temperature": round(temperature, 4)}
    text = json.dumps(config, indent=2, sort_keys=True)
    (arguments.out / "config.json").write_text(text + "\n", encoding="utf-8")
    vocabulary = AutoTokenizer.from_pretrained(arguments.trained).get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.get)
    (arguments.out / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
