"""Writes data/policy_selection.json from the plain reference of the policies beside WindowKV.

Run: python make_policy_selection.py (numpy; torch for the comparison with public_formulas.py). README.md
gives the schema.
"""

import json
import random

import numpy as np
import torch

import policy_reference as ref
import public_formulas
import windowkv_reference as wkv
from make_window_selection import write
from policy_reference import H2O, OBSERVING, POLICIES, PYRAMIDKV, SNAPKV

HEAD_DIM = 8
LEAST_GAP = 1e-4  # relative, between the last score kept and the first one dropped
SPREAD = dict(head_step=31337, token_step=104729, dim_step=7919, key_offset=30011, modulus=65521, divisor=16384)
ZERO = dict(head_step=0, token_step=0, dim_step=0, key_offset=0, modulus=1, divisor=1)


def vectors(formula, heads, prompt_tokens, offset):
    """[head][position][channel], exact in float32."""
    h, p, d = np.ogrid[:heads, :prompt_tokens, :HEAD_DIM]
    value = h * formula["head_step"] + p * formula["token_step"] + d * formula["dim_step"] + offset
    return (value * value % formula["modulus"] - formula["modulus"] // 2) / formula["divisor"]


def queries_and_keys(case):
    formula, tokens = case["vectors"], case["prompt_tokens"]
    return (vectors(formula, case["num_heads"], tokens, formula["seed"]),
            vectors(formula, case["num_kv_heads"], tokens, formula["seed"] + formula["key_offset"]))


def make_case(policy, name, prompt_tokens, num_layers=2, layer=0, heads=(2, 2), formula=SPREAD, seed=1, **options):
    options = ref.Options(policy, **options)
    for attempt in range(200):
        case = dict(name=f"{policy.lower()}, {name}", prompt_tokens=prompt_tokens, num_layers=num_layers,
                    num_heads=heads[0], num_kv_heads=heads[1], head_dim=HEAD_DIM, layer=layer,
                    options=options.as_json(), vectors=dict(formula, seed=seed + 997 * attempt))
        try:
            budgets = ref.layer_budgets(options, num_layers, prompt_tokens)
        except wkv.BudgetTooSmall:
            return dict(case, error="BUDGET_TOO_SMALL")
        case["layer_budgets"] = budgets
        q, k = queries_and_keys(case)
        kept, gap = select(options, budgets[layer], q, k, np.float64)
        if gap >= LEAST_GAP or formula is ZERO:
            assert select(options, budgets[layer], q, k, np.float32)[0] == kept, case
            check(case, options, budgets, kept)
            return dict(case, kept_ranges=kept)
    raise RuntimeError(f"{name}: a cut falls between near equal scores under every seed")


def select(options, budget, q, k, dtype):
    scores = None
    if ref.must_score(options, budget, k.shape[1]):
        scores = ref.token_scores(options, q, k, dtype)
    return ref.select(options, budget, k.shape[1], scores)


def check(case, options, budgets, kept):
    """The promises of docs/cache_policies.md, so that a golden can't contradict them."""
    tokens = case["prompt_tokens"]
    assert sum(budgets) <= case["num_layers"] * options.budget_tokens and max(budgets) <= tokens
    assert budgets == sorted(budgets, reverse=True)
    always = wkv.always_kept_tokens(options, tokens, ref.observation_of(options, tokens))
    counts = set()
    for ranges in kept:
        flags = np.zeros(tokens, bool)
        for begin, end in ranges:
            flags[begin:end] = True
        assert flags[always].all()
        counts.add(int(flags.sum()))
    assert counts == {budgets[case["layer"]]}


def edge_cases(policy):
    def case(name, tokens, **settings):
        return make_case(policy, name, tokens, **settings)

    fixed = 32 if policy in OBSERVING else 0  # last tokens a budget must hold
    yield case("one token", 1, budget_tokens=64)
    yield case("shorter than observation", 9, num_layers=5, budget_tokens=64)
    yield case("prompt equals the budget", 64, budget_tokens=64, num_layers=8)
    yield case("one token over the budget", 65, budget_tokens=64)
    yield case("one token over the budget, lower layer", 65, budget_tokens=64, num_layers=5, layer=4)
    yield case("far under the budget", 80, budget_tokens=1024, num_layers=5)
    yield case("sink longer than the prompt", 20, budget_tokens=40, sink_tokens=64)
    yield case("budget of what is always kept", 150, budget_tokens=fixed + 4)
    yield case("one token beyond what is always kept", 150, budget_tokens=fixed + 5, heads=(4, 2))
    yield case("two tokens beyond what is always kept", 150, budget_tokens=fixed + 6, num_layers=1)
    yield case("budget one under what is always kept", 150, budget_tokens=fixed + 3)
    yield case("budget one under pinned", 150, budget_tokens=fixed + 43, pinned=[[60, 100]])
    yield case("budget of sink and pinned", 150, budget_tokens=fixed + 44, pinned=[[60, 100]])
    yield case("no sink", 300, budget_tokens=64, sink_tokens=0)
    yield case("grouped by two", 300, budget_tokens=64, heads=(4, 2), num_layers=5, layer=2)
    yield case("grouped by three", 300, budget_tokens=71, heads=(6, 2), num_layers=8, layer=5)
    yield case("one key head", 300, budget_tokens=64, heads=(4, 1), num_layers=8, layer=1)
    yield case("one layer", 300, budget_tokens=57, num_layers=1)
    yield case("overlapping and unsorted pinned", 300, budget_tokens=96, sink_tokens=2,
               pinned=[[100, 120], [30, 35], [110, 130]])
    yield case("sink overlaps pinned", 200, budget_tokens=60, sink_tokens=6, pinned=[[3, 12]], heads=(3, 1))
    yield case("pinned reaches the end", 300, budget_tokens=96, pinned=[[262, 300]])
    yield case("pinned among the last tokens", 300, budget_tokens=96, pinned=[[280, 290]], num_layers=5, layer=1)
    yield case("long prompt", 700, budget_tokens=128, num_layers=8, layer=0, heads=(4, 2))
    yield case("long prompt, last layer", 700, budget_tokens=96, num_layers=8, layer=7, heads=(4, 2))
    yield case("equal logits", 260, budget_tokens=80, formula=ZERO, heads=(4, 2))
    yield case("equal logits, pinned", 260, budget_tokens=81, formula=ZERO, sink_tokens=0, pinned=[[40, 50]])


def observation_cases(policy):
    def case(name, tokens, **settings):
        return make_case(policy, name, tokens, **settings)

    yield case("observation of one", 120, budget_tokens=24, observation_tokens=1)
    yield case("observation of sixteen", 120, budget_tokens=24, observation_tokens=16, sink_tokens=0)
    yield case("one token before the observation", 41, budget_tokens=40, observation_tokens=40, sink_tokens=0)
    yield case("five tokens before the observation", 45, budget_tokens=43, observation_tokens=40, sink_tokens=0)
    yield case("observation longer than the prompt", 30, budget_tokens=40, observation_tokens=64)


def pyramid_cases():
    def case(name, tokens, **settings):
        return make_case(PYRAMIDKV, name, tokens, **settings)

    for layer in (0, 4, 7):
        yield case(f"even steps, layer {layer}", 500, budget_tokens=172, num_layers=8, layer=layer, beta=20,
                   sink_tokens=0)
    yield case("under twice the budget", 150, budget_tokens=100, num_layers=8, layer=7)
    yield case("just under twice the budget", 199, budget_tokens=100, num_layers=5, layer=1)
    yield case("first layers keep everything", 130, budget_tokens=100, num_layers=8, layer=0)
    yield case("beta one", 300, budget_tokens=64, num_layers=5, layer=4, beta=1)
    yield case("beta two", 300, budget_tokens=64, num_layers=5, layer=4, beta=2)
    yield case("large beta, last layer", 300, budget_tokens=64, num_layers=5, layer=4, beta=1000)
    yield case("two layers, last", 300, budget_tokens=75, num_layers=2, layer=1, heads=(6, 2))


def random_cases(policy, count):
    rng = random.Random(f"{policy} 2406")
    for i in range(count):
        tokens = rng.choice([rng.randrange(20, 150), rng.randrange(150, 500), rng.randrange(500, 700)])
        layers = rng.choice([1, 2, 5, 8])
        observation = rng.choice([1, 8, 16, 32, 32])
        begin = rng.randrange(tokens - 10)
        pinned = [[begin, begin + rng.randrange(1, 10)]] if rng.random() < 0.4 else []
        least = 16 + (observation if policy in OBSERVING else 0)
        yield make_case(policy, f"random {i}", tokens, layers, rng.randrange(layers),
                        rng.choice([(1, 1), (2, 2), (2, 1), (4, 2), (3, 1), (6, 2), (4, 1)]),
                        seed=rng.randrange(60000), observation_tokens=observation,
                        budget_tokens=rng.randrange(least, max(least + 1, min(tokens, 160))),
                        beta=rng.choice([2, 7, 20, 20, 30]), sink_tokens=rng.choice([0, 4, 4]), pinned=pinned)


def compare_with_public_formulas():
    """Settings under which the reference must equal the papers' formulas; README.md lists them."""
    rng = random.Random(2404)
    for seed in range(40):
        tokens, window, capacity = rng.randrange(150, 600), rng.choice([8, 16, 32]), rng.randrange(40, 120)
        case = dict(vectors=dict(SPREAD, seed=seed * 811), prompt_tokens=tokens, num_heads=3, num_kv_heads=3)
        q, k = queries_and_keys(case)
        tq, tk = torch.from_numpy(q), torch.from_numpy(k)
        for policy, expected in ((SNAPKV, public_formulas.snapkv(tq, tk, capacity, window)),
                                 (H2O, public_formulas.h2o(tq, tk, capacity - capacity // 2, capacity // 2))):
            options = ref.Options(policy, capacity, observation_tokens=window, sink_tokens=0)
            kept, gap = select(options, capacity, q, k, np.float64)
            found = [[j for begin, end in ranges for j in range(begin, end)] for ranges in kept]
            assert gap < 1e-6 or found == expected.tolist(), (policy, seed)
    for layers in (2, 5, 8, 32):
        for beta in (2, 20):
            for capacity in range(64, 2048, 13):
                share = 2 * (capacity - 32) - 2 * ((capacity - 32) // beta)
                if share % (layers - 1) == 0:  # the public steps come out even
                    options = ref.Options(PYRAMIDKV, capacity, beta=beta, sink_tokens=0)
                    assert (ref.layer_budgets(options, layers, 2 * capacity + 1)
                            == public_formulas.pyramidkv_budgets(capacity, 32, beta, layers))


def main():
    compare_with_public_formulas()
    cases = []
    for policy in POLICIES:
        cases += edge_cases(policy)
        cases += observation_cases(policy) if policy in OBSERVING else []
        cases += pyramid_cases() if policy == PYRAMIDKV else []
        cases += random_cases(policy, 12)
    write("policy_selection.json", cases)


if __name__ == "__main__":
    main()
