"""What training and measuring share: the excerpt of a text that is read, batches of similar length, and
the probabilities of a checkpoint.
"""

import json

import torch

LABELS = ("localization", "aggregation")  # by id
MAX_PIECES = 512
HEAD = (MAX_PIECES - 2) // 2
WIDTH_STEP = 16


def read_jsonl(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def excerpts(tokenizer, texts):
    """[CLS], the text's pieces or its first and last 255, [SEP]."""
    # Longer texts need not be tokenized in the middle; a piece has at most 200 characters in practice.
    pieces = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    return [[start, *ids, end] if len(ids) <= 2 * HEAD else [start, *ids[:HEAD], *ids[-HEAD:], end]
            for ids in pieces]


def pad(rows, device):
    """Ids and attention mask of rows, as the model takes them. Few widths: kernels are made for each."""
    width = -(-max(map(len, rows)) // WIDTH_STEP) * WIDTH_STEP
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return {"input_ids": ids, "attention_mask": mask}


def batches_by_length(rows, size):
    """Indices of rows, `size` at a time, of similar length."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    return [order[begin:begin + size] for begin in range(0, len(order), size)]


@torch.no_grad()
def logits_of(model, rows, batch_size=32):
    """[rows, labels], float32, on the CPU."""
    model.eval()
    device = next(model.parameters()).device
    logits = torch.empty(len(rows), len(LABELS))
    for batch in batches_by_length(rows, batch_size):
        output = model(**pad([rows[index] for index in batch], device))
        logits[batch] = output.logits.float().cpu()
    return logits
