"""Writes data/windowkv_decode.json: whole prompts read, compressed and continued by a plain reference.

The model is plain_llama.py's, the selection windowkv_reference.py's. Run: python make_windowkv_decode.py
(minutes). README.md gives the schema.
"""

import math
import random

import torch

import windowkv_reference as wkv
from make_window_selection import write
from plain_llama import DEMO, LEAST_MARGIN, PlainLlama, demo_prompts, random_checkpoint, random_ids
from windowkv_reference import MEAN, REVIEW_ONLY, TOP_HALF_MEAN

SCORE_NOISE = 1e-4  # relative; "exact" selections stay the same under it


def token_scores(q, k):
    """[query head][review token]: attention paid by the observation queries, summed over them."""
    rows, tokens = q.shape[1], k.shape[1]
    logits = q @ k.repeat_interleave(len(q) // len(k), 0).transpose(1, 2) / math.sqrt(q.shape[2])
    hidden = torch.ones(rows, tokens, dtype=torch.bool).triu(tokens - rows + 1)
    weights = logits.masked_fill(hidden, -math.inf).softmax(-1)
    return weights[..., :tokens - rows].sum(1)


def window_scores(token_scores, window_size, strategy):
    """windowkv_reference.window_scores in float64, fast enough for 8,000 tokens."""
    scores = []
    for window in token_scores.double().split(window_size, dim=1):
        if strategy == TOP_HALF_MEAN:
            window = window.topk(max(1, min(window_size // 2, window.shape[1])), dim=1).values
        scores.append(window.mean().item())
    return scores


def noisy(scores, seed):
    rng = random.Random(seed)
    return [s * (1 + SCORE_NOISE * rng.uniform(-1, 1)) for s in scores]


def select(options, num_layers, tokens, scores_of_layer, seed=None):
    def score_windows(rows, window_size, strategy):
        scores = window_scores(rows, window_size, strategy)
        return scores if seed is None else noisy(scores, seed)

    return wkv.select(options, num_layers, tokens, lambda g: scores_of_layer(g * options.shared_layers),
                      score_windows)


def keep(caches, groups):
    kept = []
    for group in groups:
        index = torch.cat([torch.arange(b, e) for b, e in group.kept_ranges])
        first = group.first_layer
        kept += [(k[:, index], v[:, index]) for k, v in caches[first:first + group.num_layers]]
    return kept


def run(model, ids, options, new_tokens):
    """The case's expected values; None where rounding could decide a token. "exact": nor a window."""
    observation = min(options.observation_tokens, len(ids))
    logits, caches, queries = model.prefill(ids, observation)

    def selection(seed=None):
        return select(options, model.num_layers, len(ids),
                      lambda i: token_scores(queries[i], caches[i][0]), seed)

    def decode(groups):
        return model.decode(logits, keep(caches, groups), len(ids), new_tokens)

    groups = selection()
    tokens, margin = decode(groups)
    others = [other for other in map(selection, range(8)) if other != groups]
    if margin < LEAST_MARGIN or any(decode(other)[0] != tokens for other in others):
        return None
    return {"exact": not others, "groups": [dict(vars(g), kept_tokens=g.kept_tokens) for g in groups],
            "tokens": tokens, "tokens_full_cache": model.decode(logits, caches, len(ids), new_tokens)[0]}


def random_prompt_case(model, checkpoint, options, length):
    for seed in range(100):
        ids = random_ids(model, length, seed)
        result = run(model, ids, options, 16)
        if result and result["exact"] and (result["tokens"] != result["tokens_full_cache"] or length < 60):
            return dict(checkpoint=checkpoint, input_ids=ids, options=dict(vars(options)), **result)
    raise RuntimeError(f"{checkpoint}: no clear case for {options}")


RANDOM_OPTIONS = {
    "grouped_by_two_tied_bf16_sharded": [
        (200, dict(budget_tokens=40, window_size=4, shared_layers=1, observation_tokens=8, sink_tokens=4)),
        (200, dict(budget_tokens=64, window_size=8, shared_layers=2, strategy=TOP_HALF_MEAN)),
    ],
    "grouped_by_three_wide_heads_f16": [
        (200, dict(budget_tokens=48, window_size=8, shared_layers=3, sink_tokens=2, pinned=[[30, 41]])),
        (203, dict(budget_tokens=64, window_size=8, shared_layers=2, accounting=REVIEW_ONLY)),
    ],
    "one_kv_head_biases_bf16": [
        (150, dict(budget_tokens=30, window_size=5, shared_layers=1, observation_tokens=7,
                   strategy=TOP_HALF_MEAN, accounting=REVIEW_ONLY)),
        (150, dict(budget_tokens=30, window_size=1, shared_layers=1, observation_tokens=4)),
    ],
    "rope_llama3_bf16_sharded": [
        (220, dict(budget_tokens=50, window_size=8, shared_layers=1, observation_tokens=32,
                   strategy=TOP_HALF_MEAN, sink_tokens=4)),
    ],
    "five_layers_tokenizer_bf16": [
        (300, dict(budget_tokens=60, window_size=8, shared_layers=2, sink_tokens=4)),
        (300, dict(budget_tokens=60, window_size=8, shared_layers=2, strategy=TOP_HALF_MEAN,
                   accounting=REVIEW_ONLY, observation_tokens=32)),
        (300, dict(budget_tokens=100, window_size=16, shared_layers=3, pinned=[[0, 10], [250, 260]])),
        (300, dict(budget_tokens=72, window_size=8, shared_layers=1)),
        (40, dict(budget_tokens=64, window_size=8, shared_layers=2)),
        (12, dict(budget_tokens=64, window_size=8, shared_layers=5)),
        (37, dict(budget_tokens=36, window_size=32, shared_layers=4, observation_tokens=32)),
    ],
}


def random_cases():
    for checkpoint, variants in RANDOM_OPTIONS.items():
        model = random_checkpoint(checkpoint)
        for length, options in variants:
            yield random_prompt_case(model, checkpoint, wkv.Options(**options), length)


DEMO_OPTIONS = {
    "demo_short": [
        dict(budget_tokens=72, shared_layers=2, sink_tokens=4),
        dict(budget_tokens=232, shared_layers=2, sink_tokens=4),
        dict(budget_tokens=64, shared_layers=2, sink_tokens=4, observation_tokens=32, strategy=TOP_HALF_MEAN),
        dict(budget_tokens=112, shared_layers=3, accounting=REVIEW_ONLY),
        dict(budget_tokens=200, shared_layers=1, window_size=16, sink_tokens=4, pinned=[[4, 20]]),
    ],
    "example_document": [
        dict(budget_tokens=256, shared_layers=2, sink_tokens=4),
        dict(budget_tokens=256, shared_layers=2, sink_tokens=4, observation_tokens=32, strategy=TOP_HALF_MEAN),
        dict(budget_tokens=512, shared_layers=2, accounting=REVIEW_ONLY),
    ],
}


def demo_cases():
    model = PlainLlama(DEMO)
    for prompt in demo_prompts():
        for options in DEMO_OPTIONS[prompt["name"]]:
            options = wkv.Options(**options)
            result = run(model, prompt["input_ids"], options, len(prompt["greedy"]))
            if result is None:
                raise RuntimeError(f"{prompt['name']}: rounding could decide a token under {options}")
            yield dict(checkpoint="demo_llama", prompt=prompt["name"], options=dict(vars(options)), **result)


def main():
    torch.set_num_threads(1)
    write("windowkv_decode.json", [*random_cases(), *demo_cases()])


if __name__ == "__main__":
    main()
