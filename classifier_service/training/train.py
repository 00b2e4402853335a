"""Fine-tunes the base model on made prompts and writes a BertForSequenceClassification checkpoint.

    python train.py --base DIR --sources SOURCES.json.gz --out DIR [--seed N] [--examples N]

Resumes from OUT/training.pt when it was interrupted. The same arguments on the same machine give the
same weights, up to the order of floating-point sums.
"""

import argparse
import math
import random
import time
from pathlib import Path

import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoTokenizer, BertForSequenceClassification

import classifier
import prompts

LABEL_SMOOTHING = 0.03
WEIGHT_DECAY = 0.01
WARM_UP = 0.06  # of all steps
CLIP = 1.0
# What is kept is the moving average of the weights over the last hundreds of batches.
AVERAGE_EVERY = 4
AVERAGE_DECAY = 0.985
CHECKPOINT_SECONDS = 120


def load_base(directory, frozen_layers):
    """The base model with a new head; its embeddings and lowest layers stay as they are."""
    model = BertForSequenceClassification.from_pretrained(
        directory, num_labels=len(classifier.LABELS), dtype=torch.float32,
        # Drawing masks takes a processor half of the time, and every prompt is seen once only.
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(classifier.LABELS)),
        label2id={label: index for index, label in enumerate(classifier.LABELS)})
    model.bert.embeddings.requires_grad_(False)
    for layer in model.bert.encoder.layer[:frozen_layers]:
        layer.requires_grad_(False)
    return model


def make_batches(rows, size, rng):
    """Random batches of similar length: shuffled, sorted within pools, shuffled again."""
    order = list(range(len(rows)))
    rng.shuffle(order)
    pool = size * 32
    batches = []
    for begin in range(0, len(order), pool):
        part = sorted(order[begin:begin + pool], key=lambda index: len(rows[index]))
        batches += [part[i:i + size] for i in range(0, len(part), size)]
    rng.shuffle(batches)
    return batches


def shorten(row, most):
    """The first and the last pieces of a row."""
    return row if len(row) <= most else row[:most // 2] + row[-(most // 2):]


class Training:
    """One run over the prompts. `step` counts the batches that are done."""

    def __init__(self, arguments, model, device):
        self._arguments = arguments
        self._device = device
        # A processor's caches hold the activations of a few rows only.
        self._at_once = arguments.batch if device.type == "cuda" else 16
        self.model = model.to(device)
        trained = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            [{"params": [p for p in trained if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
             {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0}],
            lr=arguments.learning_rate, fused=device.type == "cuda" or None)
        self.average = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=False)
        self.step = 0

    def run(self, rows, targets):
        batches = make_batches(rows, self._arguments.batch, random.Random(self._arguments.seed))
        self._schedule = lambda step: min(step / (WARM_UP * len(batches)) if step else 1e-3,
                                          1.02 - step / len(batches), 1.0)
        saved = self._arguments.out / "training.pt"
        if saved.exists():
            self._restore(torch.load(saved, weights_only=True))
        last_saved = time.monotonic()
        progress = tqdm(batches[self.step:], initial=self.step, total=len(batches), unit="batch",
                        mininterval=5, disable=None if not self._arguments.progress else False)
        for batch in progress:
            most = self._pieces_shown(len(batches))
            loss = self._train([shorten(rows[index], most) for index in batch], targets[batch])
            progress.set_postfix(loss=f"{loss:.3f}", refresh=False)
            if time.monotonic() - last_saved > CHECKPOINT_SECONDS:
                torch.save(self._state(), saved)
                last_saved = time.monotonic()
        saved.unlink(missing_ok=True)
        return self.average.module

    def _pieces_shown(self, batches):
        """Of a prompt, at most, in the coming batch; sets the model up for rows of that length."""
        is_short = self.step < self._arguments.short_share * batches
        if self._device.type == "cpu":
            # The fused attention's gradient costs the same for any short row.
            self.model.set_attn_implementation("eager" if is_short else "sdpa")
        return self._arguments.short_pieces if is_short else classifier.MAX_PIECES

    def _train(self, rows, targets):
        self.model.train()
        for group in self._optimizer.param_groups:
            group["lr"] = self._arguments.learning_rate * self._schedule(self.step)
        wanted = torch.stack([targets, 1 - targets], dim=1).to(self._device)
        wanted = wanted * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / len(classifier.LABELS)
        loss = 0.0
        for begin in range(0, len(rows), self._at_once):
            part = slice(begin, begin + self._at_once)
            with torch.autocast(self._device.type, dtype=torch.bfloat16):
                logits = self.model(**classifier.pad(rows[part], self._device)).logits
            part_loss = functional.cross_entropy(logits.float(), wanted[part], reduction="sum")
            part_loss = part_loss / len(rows)
            part_loss.backward()
            loss += part_loss.detach()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self.step % AVERAGE_EVERY == 0:
            self.average.update_parameters(self.model)
        self.step += 1
        return loss.item() if self.step % 10 == 0 or self._device.type == "cpu" else math.nan

    def _state(self):
        return {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict(),
                "average": self.average.state_dict(), "step": self.step,
                "random": torch.get_rng_state()}

    def _restore(self, state):
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.step = state["step"]
        torch.set_rng_state(state["random"].cpu())
        print(f"resumed at batch {self.step}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="the base model's directory")
    parser.add_argument("--sources", type=Path, required=True, help="what sources.py has written")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1, help="of prompts, head and order")
    parser.add_argument("--examples", type=int, default=64_000)
    parser.add_argument("--batch", type=int, default=64)
    # The first batches show less of each end: most of what there is to learn stands close to it, and
    # such a batch takes half as long.
    parser.add_argument("--short-share", type=float, default=0.75, help="of the batches")
    parser.add_argument("--short-pieces", type=int, default=160, help="that these show of a prompt")
    parser.add_argument("--learning-rate", type=float, default=1.4e-4)
    parser.add_argument("--frozen-layers", type=int, default=0, help="of the encoder, the lowest")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--progress", action="store_true", help="a progress bar without a terminal, too")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    tokenizer = AutoTokenizer.from_pretrained(arguments.base)
    made = list(prompts.make(arguments.sources, arguments.examples, arguments.seed))
    rows = classifier.excerpts(tokenizer, [prompt["text"] for prompt in made])
    targets = torch.tensor([prompt["localization"] for prompt in made])
    print(f"{len(rows)} prompts, {sum(map(len, rows)) / len(rows):.0f} pieces on average")
    training = Training(arguments, load_base(arguments.base, arguments.frozen_layers),
                        torch.device(arguments.device))
    model = training.run(rows, targets)
    model.save_pretrained(arguments.out)
    tokenizer.save_pretrained(arguments.out)


if __name__ == "__main__":
    main()
