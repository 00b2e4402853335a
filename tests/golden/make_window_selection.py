"""Writes data/window_selection.json and data/window_scores.json from the plain WindowKV reference.

Run: python make_window_selection.py (standard library and numpy). README.md gives the schemas.
"""

import json
import pathlib
import random

import numpy as np

import windowkv_reference as wkv
from windowkv_reference import MEAN, REVIEW_ONLY, TOP_HALF_MEAN, TOTAL

DATA = pathlib.Path(__file__).parent / "data"
SPREAD = dict(head_step=7919, token_step=104729, group_step=15485863, modulus=65521, divisor=65536)
COARSE = dict(head_step=5, token_step=3, group_step=1, modulus=7, divisor=8)
STEEP = dict(head_step=1, token_step=37, group_step=11, modulus=61, divisor=64)
EQUAL = dict(head_step=0, token_step=0, group_step=0, modulus=2, divisor=2)

# Llama-3-8B, 7,950 tokens: cap -> (budget, windows kept, review tokens kept with and without the
# short last window) per group, from the paper's setting in the authors' code.
REFERENCE_TABLE = {
    2048: [(2926, 366, 2926, 2928), (2341, 292, 2334, 2336), (1756, 219, 1750, 1752),
           (1170, 146, 1166, 1168)],
    1024: [(1463, 183, 1462, 1464), (1171, 146, 1166, 1168), (879, 110, 878, 880), (585, 73, 582, 584)],
    512: [(732, 91, 726, 728), (586, 73, 582, 584), (440, 55, 438, 440), (292, 36, 286, 288)],
}


def score_numerator(formula, seed, group, head, token):
    return (head * formula["head_step"] + token * formula["token_step"] +
            group * formula["group_step"] + seed) % formula["modulus"]


def numerators(formula, seed, group, heads, review):
    return [[score_numerator(formula, seed, group, h, j) for j in range(review)] for h in range(heads)]


def float32_scores(rows, divisor, window_size, strategy, order):
    """Window scores in float32 under different orders of summation."""
    one = np.float32
    t = (np.array(rows, dtype=np.float64) / divisor).astype(np.float32)
    heads, review = t.shape
    result = []
    for begin in range(0, review, window_size):
        window = t[:, begin:begin + window_size]
        if strategy == TOP_HALF_MEAN:
            top = max(1, min(window_size // 2, window.shape[1]))
            window = -np.sort(-window, axis=1)[:, :top]
        count = window.shape[1]
        sums = window.sum(axis=1, dtype=np.float32)
        if order == "one division":
            result.append(sums.sum(dtype=np.float32) / one(heads * count))
        elif order == "reciprocal":
            result.append(sums.sum(dtype=np.float32) * (one(1) / one(heads * count)))
        elif order == "tokens first":
            result.append((sums / one(count)).sum(dtype=np.float32) / one(heads))
        else:
            result.append((window.sum(axis=0, dtype=np.float32) / one(heads)).sum(dtype=np.float32) / one(count))
    return [float(s) for s in result]


def is_robust(case, options, exact_groups):
    """Whether every sensible float32 evaluation selects the same tokens as exact arithmetic."""
    formula = case["scores"]
    review = case["prompt_tokens"] - min(options.observation_tokens, case["prompt_tokens"])
    for order in ("one division", "reciprocal", "tokens first", "heads first"):
        groups = wkv.select(
            options, case["num_layers"], case["prompt_tokens"],
            lambda g: numerators(formula, formula["seed"], g, case["num_heads"], review),
            lambda rows, size, strategy: float32_scores(rows, formula["divisor"], size, strategy, order))
        if groups != exact_groups:
            return False
    return True


def make_case(name, prompt_tokens, num_layers, formula=SPREAD, heads=4, seed=1, **options):
    options = wkv.Options(**options)
    for attempt in range(200):
        case = dict(name=name, prompt_tokens=prompt_tokens, num_layers=num_layers, num_heads=heads,
                    options=dict(vars(options)), scores=dict(formula, seed=seed + attempt))
        review = prompt_tokens - min(options.observation_tokens, prompt_tokens)
        try:
            groups = wkv.select(options, num_layers, prompt_tokens,
                                lambda g: numerators(formula, seed + attempt, g, heads, review))
        except wkv.BudgetTooSmall:
            return dict(case, error="BUDGET_TOO_SMALL")
        if is_robust(case, options, groups):
            check(case, options, groups)
            return dict(case, groups=[dict(vars(g), kept_tokens=g.kept_tokens) for g in groups])
    raise RuntimeError(f"{name}: rounding decides the selection under every seed")


def check(case, options, groups):
    """The promises of README.md, so that a golden can't contradict them."""
    tokens = case["prompt_tokens"]
    observation = min(options.observation_tokens, tokens)
    assert sum(g.num_layers for g in groups) == case["num_layers"]
    for a, b in zip(groups, groups[1:]):
        assert a.budget_tokens >= b.budget_tokens and a.first_layer + a.num_layers == b.first_layer
    for g in groups:
        edges = [e for r in g.kept_ranges for e in r]
        assert edges == sorted(set(edges)) and edges[-1] == tokens
        assert g.kept_ranges[-1][0] <= tokens - observation
    if options.accounting == TOTAL:
        allowed = options.budget_tokens * case["num_layers"]
        assert sum(g.num_layers * g.budget_tokens for g in groups) <= allowed
        assert all(g.kept_tokens <= g.budget_tokens for g in groups)


def table_cases():
    for cap, rows in REFERENCE_TABLE.items():
        for observation, strategy in ((16, MEAN), (32, TOP_HALF_MEAN)):
            case = make_case(f"authors table, cap {cap}, {strategy}", 7950, 32, budget_tokens=cap,
                             window_size=8, shared_layers=8, observation_tokens=observation,
                             strategy=strategy, accounting=REVIEW_ONLY)
            for group, (budget, windows, short, whole) in zip(case["groups"], rows):
                kept = group["kept_tokens"] - observation
                last_kept = any(b <= 7950 - observation - 1 < e for b, e in group["kept_ranges"])
                assert group["budget_tokens"] == budget and kept == (short if last_kept else whole), case
                assert windows == (kept + 2 if last_kept else kept) // 8
            yield case


def named_cases():
    base = dict(window_size=8, shared_layers=2)
    yield make_case("total, 8k demo prompt", 8000, 8, budget_tokens=256, sink_tokens=4, **base)
    yield make_case("total, 8k demo prompt, top half", 8000, 8, budget_tokens=256, sink_tokens=4,
                    observation_tokens=32, strategy=TOP_HALF_MEAN, **base)
    yield make_case("total, llama 8k", 7950, 32, budget_tokens=512, shared_layers=8, sink_tokens=4)
    for accounting in (TOTAL, REVIEW_ONLY):
        at = dict(accounting=accounting)
        say = accounting.lower()
        yield make_case(f"{say}, every score equal", 300, 8, EQUAL, budget_tokens=96, **base, **at)
        yield make_case(f"{say}, every score equal, top half", 301, 8, EQUAL, budget_tokens=96,
                        strategy=TOP_HALF_MEAN, **base, **at)
        yield make_case(f"{say}, many ties", 517, 8, COARSE, budget_tokens=128, **base, **at)
        yield make_case(f"{say}, many ties, top half", 517, 8, COARSE, heads=1, budget_tokens=128,
                        strategy=TOP_HALF_MEAN, **base, **at)
        yield make_case(f"{say}, prompt equals the budget", 128, 8, budget_tokens=128, **base, **at)
        yield make_case(f"{say}, prompt one over the budget", 129, 8, budget_tokens=128, **base, **at)
        yield make_case(f"{say}, prompt far under the budget", 40, 8, budget_tokens=1024, **base, **at)
        yield make_case(f"{say}, one token", 1, 4, budget_tokens=64, **base, **at)
        yield make_case(f"{say}, prompt shorter than observation", 9, 4, budget_tokens=64, **base, **at)
        yield make_case(f"{say}, prompt equals observation", 16, 4, budget_tokens=64, **base, **at)
        yield make_case(f"{say}, one review token", 17, 4, budget_tokens=16, **base, **at)
        yield make_case(f"{say}, review shorter than a window", 36, 4, budget_tokens=17, window_size=32,
                        shared_layers=2, **at)
        yield make_case(f"{say}, window longer than the prompt", 50, 4, budget_tokens=20, window_size=64,
                        shared_layers=1, **at)
        yield make_case(f"{say}, window of one", 200, 6, budget_tokens=50, window_size=1, shared_layers=3, **at)
        yield make_case(f"{say}, window of one, top half", 200, 6, budget_tokens=50, window_size=1,
                        shared_layers=3, strategy=TOP_HALF_MEAN, **at)
        yield make_case(f"{say}, odd window", 333, 6, budget_tokens=75, window_size=5, shared_layers=1,
                        strategy=TOP_HALF_MEAN, **at)
        yield make_case(f"{say}, one group", 400, 8, budget_tokens=100, shared_layers=8, **at)
        yield make_case(f"{say}, one layer", 400, 1, budget_tokens=100, **at)
        yield make_case(f"{say}, every layer alone", 400, 8, STEEP, budget_tokens=100, **at)
        yield make_case(f"{say}, short last group", 400, 8, budget_tokens=100, shared_layers=3, **at)
        yield make_case(f"{say}, last group of one layer", 400, 9, budget_tokens=100, shared_layers=4, **at)
        yield make_case(f"{say}, two groups", 400, 8, budget_tokens=100, shared_layers=4, **at)
        yield make_case(f"{say}, pyramid flattened by many shared layers", 600, 48, budget_tokens=100,
                        shared_layers=16, **at)
        yield make_case(f"{say}, shared layers over twice beta", 600, 48, budget_tokens=100,
                        shared_layers=20, beta=7, **at)
        yield make_case(f"{say}, beta one", 400, 6, budget_tokens=100, shared_layers=2, beta=1, **at)
        yield make_case(f"{say}, beta large", 400, 6, budget_tokens=100, shared_layers=1, beta=1000, **at)
        yield make_case(f"{say}, first group keeps everything", 180, 8, budget_tokens=120, **base, **at)
        yield make_case(f"{say}, observation of one", 257, 8, budget_tokens=64, observation_tokens=1,
                        **base, **at)
        yield make_case(f"{say}, budget of the observation alone", 300, 8, budget_tokens=16, **base, **at)
    yield make_case("review_only, budget of one", 300, 4, budget_tokens=1, accounting=REVIEW_ONLY, **base)
    yield make_case("review_only, observation tokens only in the last groups", 300, 8, budget_tokens=4,
                    shared_layers=1, accounting=REVIEW_ONLY)
    yield make_case("total, budget one under observation", 300, 8, budget_tokens=15, **base)
    yield make_case("total, budget one under observation and sink", 300, 8, budget_tokens=19,
                    sink_tokens=4, **base)
    yield make_case("total, budget of observation and sink", 300, 8, budget_tokens=20, sink_tokens=4, **base)
    yield make_case("total, budget one under pinned", 300, 8, budget_tokens=115, sink_tokens=4,
                    pinned=[[50, 146]], **base)
    yield make_case("total, last groups raised to what is always kept", 500, 8, budget_tokens=130,
                    sink_tokens=4, pinned=[[40, 120]], **base)
    yield make_case("total, sink longer than a window", 300, 8, budget_tokens=80, sink_tokens=20, **base)
    yield make_case("total, sink overlaps pinned", 300, 8, budget_tokens=80, sink_tokens=6,
                    pinned=[[3, 12]], **base)
    yield make_case("total, overlapping and unsorted pinned", 300, 8, budget_tokens=96, sink_tokens=2,
                    pinned=[[100, 120], [30, 35], [110, 130]], **base)
    yield make_case("total, pinned reaches the observation tokens", 300, 8, budget_tokens=96,
                    pinned=[[270, 290]], **base)
    yield make_case("total, a window wholly pinned", 300, 8, budget_tokens=64, pinned=[[80, 88], [96, 112]],
                    **base)
    yield make_case("total, sink longer than the prompt", 20, 4, budget_tokens=20, sink_tokens=64, **base)


def random_cases():
    rng = random.Random(20250322)
    for i in range(40):
        layers = rng.choice([1, 2, 3, 5, 8, 12, 32])
        total = rng.random() < 0.65
        tokens = rng.choice([rng.randrange(30, 200), rng.randrange(200, 1200)])
        observation = rng.choice([1, 8, 16, 16, 32])
        sink = rng.choice([0, 0, 4, 10]) if total else 0
        pinned = []
        if total and rng.random() < 0.4:
            begin = rng.randrange(tokens - 10)
            pinned = [[begin, begin + rng.randrange(1, 10)]]
        least = observation + sink + 10
        yield make_case(
            f"random {i}", tokens, layers, rng.choice([SPREAD, SPREAD, COARSE, STEEP]),
            heads=rng.choice([1, 2, 4, 8]), seed=rng.randrange(1000),
            budget_tokens=rng.randrange(least, max(least + 1, tokens * 3 // 4)),
            window_size=rng.choice([1, 2, 4, 8, 8, 16, 32]), shared_layers=rng.randrange(1, layers + 1),
            beta=rng.choice([2, 7, 14, 14, 20]), observation_tokens=observation,
            strategy=rng.choice([MEAN, TOP_HALF_MEAN]), accounting=TOTAL if total else REVIEW_ONLY,
            sink_tokens=sink, pinned=pinned)


def attention_case(name, heads, kv_heads, head_dim, prompt_tokens, observation, window_size, seed):
    def value(head, position, d, salt):
        return ((head * 31 + position * 1009 + d * 7919 + salt) % 257 - 128) / 64

    observation = min(observation, prompt_tokens)
    first = prompt_tokens - observation
    q = [[[value(h, first + i, d, seed) for d in range(head_dim)] for i in range(observation)]
         for h in range(heads)]
    k = [[[value(h, j, d, seed + 101) for d in range(head_dim)] for j in range(prompt_tokens)]
         for h in range(kv_heads)]
    scores = wkv.token_scores(q, k, observation)
    case = dict(name=name, num_heads=heads, num_kv_heads=kv_heads, head_dim=head_dim,
                prompt_tokens=prompt_tokens, observation_tokens=observation, window_size=window_size,
                seed=seed, token_scores=[[rounded(x) for x in row] for row in scores])
    for key, strategy in (("mean", MEAN), ("top_half_mean", TOP_HALF_MEAN)):
        case[key] = [rounded(float(x)) for x in wkv.window_scores(scores, window_size, strategy)]
    return case


def rounded(x):
    return float(f"{x:.9g}")


def attention_cases():
    yield attention_case("equal heads", 2, 2, 8, 40, 8, 8, 1)
    yield attention_case("grouped by two", 4, 2, 8, 45, 16, 8, 2)
    yield attention_case("grouped by three", 6, 2, 16, 61, 16, 8, 3)
    yield attention_case("one key head", 3, 1, 12, 50, 32, 4, 4)
    yield attention_case("one observation token", 2, 1, 8, 33, 1, 8, 5)
    yield attention_case("one review token", 2, 1, 8, 17, 16, 8, 6)
    yield attention_case("window of one", 2, 2, 8, 24, 8, 1, 7)
    yield attention_case("odd window", 4, 1, 20, 52, 9, 5, 8)
    yield attention_case("window longer than the review", 2, 2, 8, 30, 12, 32, 9)


def write(name, cases):
    path = DATA / name
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    path.write_text('{"cases":[\n' + lines + "\n]}\n")
    print(path.name, len(cases), "cases", path.stat().st_size, "bytes")


def main():
    DATA.mkdir(exist_ok=True)
    write("window_selection.json", [*table_cases(), *named_cases(), *random_cases()])
    write("window_scores.json", list(attention_cases()))


if __name__ == "__main__":
    main()
