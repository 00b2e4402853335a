"""Writes data/policy_decode.json: whole prompts read, reduced by the policies beside WindowKV and continued.

The model is plain_llama.py's, the selection policy_reference.py's. Run: python make_policy_decode.py
(minutes). README.md gives the schema.
"""

import numpy as np
import torch

import policy_reference as ref
from make_window_selection import write
from plain_llama import DEMO, LEAST_MARGIN, PlainLlama, demo_prompts, random_checkpoint, random_ids
from policy_reference import H2O, OBSERVING, POLICIES, PYRAMIDKV, SNAPKV, STREAMING_LLM

SCORE_NOISE = 1e-4  # relative; "exact" selections stay the same whatever its signs


def scores_of_layers(options, budgets, caches, queries, tokens):
    """Token scores of every layer, None where nothing is scored."""
    return [ref.token_scores(options, q.numpy(), k.numpy()) if ref.must_score(options, budget, tokens) else None
            for budget, (k, _), q in zip(budgets, caches, queries)]


def noisy(scores, seed):
    rng = np.random.default_rng(seed)
    return [s if s is None else s * (1 + SCORE_NOISE * rng.uniform(-1, 1, s.shape)) for s in scores]


def select(options, budgets, tokens, scores):
    """What every layer keeps, and the smallest gap at a cut."""
    selections = [ref.select(options, budget, tokens, s) for budget, s in zip(budgets, scores)]
    return [kept for kept, _ in selections], min(gap for _, gap in selections)


def keep(caches, layers):
    """Each KV head's own tokens in its slots."""
    kept = []
    for (k, v), heads in zip(caches, layers):
        heads = heads * len(k) if len(heads) == 1 else heads
        index = [torch.cat([torch.arange(b, e) for b, e in ranges]) for ranges in heads]
        kept.append(tuple(torch.stack([x[h, i] for h, i in enumerate(index)]) for x in (k, v)))
    return kept


def run(model, ids, options, new_tokens):
    """The case's expected values; None where rounding could decide a token. "exact": nor a kept token."""
    tokens = len(ids)
    budgets = ref.layer_budgets(options, model.num_layers, tokens)
    observation = options.observation_tokens if options.policy in OBSERVING else tokens
    logits, caches, queries = model.prefill(ids, observation)
    scores = scores_of_layers(options, budgets, caches, queries, tokens)
    layers, gap = select(options, budgets, tokens, scores)
    exact = gap > 2 * SCORE_NOISE

    def decode(layers):
        return model.decode(logits, keep(caches, layers), tokens, new_tokens)

    greedy, margin = decode(layers)
    others = [] if exact else [select(options, budgets, tokens, noisy(scores, seed))[0] for seed in range(8)]
    if margin < LEAST_MARGIN or any(decode(other)[0] != greedy for other in others):
        return None
    kept = {"kept_ranges": layers} if exact else {}
    return {"exact": exact, "layer_budgets": budgets, **kept, "tokens": greedy,
            "tokens_full_cache": model.decode(logits, caches, tokens, new_tokens)[0]}


def random_prompt_case(model, checkpoint, options, length):
    for seed in range(200):
        ids = random_ids(model, length, seed)
        result = run(model, ids, options, 16)
        if result and result["exact"] and (result["tokens"] != result["tokens_full_cache"] or length < 60):
            return dict(checkpoint=checkpoint, input_ids=ids, options=options.as_json(), **result)
    raise RuntimeError(f"{checkpoint}: no clear case for {options}")


RANDOM_OPTIONS = {
    "equal_heads_f32": [
        (180, dict(policy=SNAPKV, budget_tokens=48, observation_tokens=16, sink_tokens=0)),
        (180, dict(policy=H2O, budget_tokens=41, sink_tokens=0)),
    ],
    "grouped_by_two_tied_bf16_sharded": [
        (200, dict(policy=STREAMING_LLM, budget_tokens=40)),
        (200, dict(policy=SNAPKV, budget_tokens=64)),
        (200, dict(policy=PYRAMIDKV, budget_tokens=60, observation_tokens=16)),
        (200, dict(policy=H2O, budget_tokens=40)),
    ],
    "grouped_by_three_wide_heads_f16": [
        (200, dict(policy=STREAMING_LLM, budget_tokens=60, sink_tokens=2, pinned=[[30, 41], [170, 180]])),
        (200, dict(policy=SNAPKV, budget_tokens=60, observation_tokens=8, pinned=[[30, 41]])),
        (203, dict(policy=PYRAMIDKV, budget_tokens=70, beta=4, pinned=[[0, 3], [100, 109]])),
        (200, dict(policy=H2O, budget_tokens=61, sink_tokens=2, pinned=[[30, 41], [170, 180]])),
    ],
    "one_kv_head_biases_bf16": [
        (150, dict(policy=PYRAMIDKV, budget_tokens=30, observation_tokens=7, beta=5)),
        (150, dict(policy=H2O, budget_tokens=31)),
    ],
    "rope_llama3_bf16_sharded": [
        (220, dict(policy=SNAPKV, budget_tokens=50)),
        (220, dict(policy=H2O, budget_tokens=50)),
    ],
    "several_ends_bf16": [
        (150, dict(policy=STREAMING_LLM, budget_tokens=24, sink_tokens=0)),
        (150, dict(policy=SNAPKV, budget_tokens=40, observation_tokens=1)),
    ],
    "five_layers_tokenizer_bf16": [
        (300, dict(policy=STREAMING_LLM, budget_tokens=60)),
        (300, dict(policy=SNAPKV, budget_tokens=60)),
        (300, dict(policy=PYRAMIDKV, budget_tokens=72)),
        (110, dict(policy=PYRAMIDKV, budget_tokens=80)),
        (300, dict(policy=H2O, budget_tokens=60)),
        (40, dict(policy=PYRAMIDKV, budget_tokens=64)),
        (12, dict(policy=H2O, budget_tokens=64)),
    ],
}


def random_cases():
    for checkpoint, variants in RANDOM_OPTIONS.items():
        model = random_checkpoint(checkpoint)
        for length, options in variants:
            yield random_prompt_case(model, checkpoint, ref.Options(**options), length)


def demo_cases():
    model = PlainLlama(DEMO)
    for prompt in demo_prompts():
        for policy in POLICIES:
            options = ref.Options(policy, 256 if prompt["prompt_tokens"] > 1000 else 128)
            result = run(model, prompt["input_ids"], options, len(prompt["greedy"]))
            if result is None:
                raise RuntimeError(f"{prompt['name']}: rounding could decide a token under {options}")
            yield dict(checkpoint="demo_llama", prompt=prompt["name"], options=options.as_json(), **result)


def main():
    torch.set_num_threads(1)
    write("policy_decode.json", [*random_cases(), *demo_cases()])


if __name__ == "__main__":
    main()
