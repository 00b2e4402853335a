"""WindowKV in plain Python: group budgets, window scores and the tokens kept.

Written from the paper (arXiv 2503.17922) and README.md's definition alone, with the standard library
only, so that the engine's C++ can be checked against something that shares no code with it.
Score arithmetic is exact when the token scores are Fractions or integers.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction

MEAN = "MEAN"
TOP_HALF_MEAN = "TOP_HALF_MEAN"
TOTAL = "TOTAL"
REVIEW_ONLY = "REVIEW_ONLY"


class BudgetTooSmall(ValueError):
    """The budget is smaller than the tokens that are kept whatever their score."""


@dataclass
class Options:
    budget_tokens: int  # mean over layers
    window_size: int = 8
    shared_layers: int = 1
    beta: int = 14
    observation_tokens: int = 16
    strategy: str = MEAN
    accounting: str = TOTAL
    sink_tokens: int = 0
    pinned: list = field(default_factory=list)  # [begin, end) pairs


@dataclass
class Group:
    first_layer: int
    num_layers: int
    budget_tokens: int
    kept_ranges: list  # maximal [begin, end) ranges in position order

    @property
    def kept_tokens(self):
        return sum(end - begin for begin, end in self.kept_ranges)


def group_sizes(num_layers, shared_layers):
    """Layers per group; the last group may be short."""
    return [min(shared_layers, num_layers - first) for first in range(0, num_layers, shared_layers)]


def pyramid(cap, shared_layers, beta, num_groups):
    """Budgets before any clamping but one: the last never exceeds cap, so they never increase."""
    if num_groups == 1:
        return [cap]
    last = min(cap * shared_layers // beta, cap)
    first = 2 * cap - last
    step = (first - last) // (num_groups - 1)
    return [first - g * step for g in range(num_groups - 1)] + [last]


def total_budgets(sizes, shared_layers, cap, beta, always_kept, prompt_tokens):
    """Group budgets that count every kept prompt token and never exceed cap * num_layers in sum."""
    if prompt_tokens <= cap:
        return [prompt_tokens] * len(sizes)
    if cap < always_kept:
        raise BudgetTooSmall(f"budget {cap} is smaller than the {always_kept} tokens always kept")
    allowed = cap * sum(sizes)
    budgets = [min(always_kept + b, prompt_tokens)
               for b in pyramid(cap - always_kept, shared_layers, beta, len(sizes))]

    def spent(values):
        return sum(n * b for n, b in zip(sizes, values))

    if spent(budgets) > allowed:
        ceiling = max(c for c in range(always_kept, prompt_tokens + 1)
                      if spent([min(b, c) for b in budgets]) <= allowed)
        budgets = [min(b, ceiling) for b in budgets]
    if spent(budgets) < allowed:
        floor = max(f for f in range(prompt_tokens + 1)
                    if spent([max(b, f) for b in budgets]) <= allowed)
        budgets = [max(b, floor) for b in budgets]
    return budgets


def window_scores(token_scores, window_size, strategy):
    """One score per review window. token_scores[head][j] covers the review context."""
    heads, length = len(token_scores), len(token_scores[0])
    scores = []
    for begin in range(0, length, window_size):
        end = min(begin + window_size, length)
        top = max(1, min(window_size // 2, end - begin))
        total = 0
        for row in token_scores:
            values = row[begin:end]
            total += sum(sorted(values, reverse=True)[:top]) if strategy == TOP_HALF_MEAN else sum(values)
        count = heads * (top if strategy == TOP_HALF_MEAN else end - begin)
        scores.append(Fraction(total, count) if isinstance(total, (int, Fraction)) else total / count)
    return scores


def best_first(scores):
    """Window indices, best score first, the lower index on a tie."""
    return sorted(range(len(scores)), key=lambda w: (-scores[w], w))


def to_ranges(kept):
    """Maximal ranges of a list of booleans."""
    ranges, begin = [], None
    for position, keep in enumerate(list(kept) + [False]):
        if keep and begin is None:
            begin = position
        elif not keep and begin is not None:
            ranges.append([begin, position])
            begin = None
    return ranges


def always_kept_tokens(options, prompt_tokens, observation):
    kept = [False] * prompt_tokens
    spans = [(0, options.sink_tokens), *options.pinned, (prompt_tokens - observation, prompt_tokens)]
    for begin, end in spans:
        for position in range(begin, min(end, prompt_tokens)):
            kept[position] = True
    return kept


def select_total(order, always, budget, review, window_size):
    """Whole windows in score order until the first that does not fit; returns kept flags."""
    kept = list(always)
    remaining = budget - sum(always)
    for window in order:
        span = range(window * window_size, min((window + 1) * window_size, review))
        cost = sum(not always[j] for j in span)
        if cost > remaining:
            break
        remaining -= cost
        for j in span:
            kept[j] = True
    return kept


def select_review_only(order, prompt_tokens, budget, review, window_size):
    """The authors' count of windows: ceil((review - budget) / window_size) are dropped."""
    kept = [True] * prompt_tokens
    if review <= budget:
        return kept
    dropped = min(math.ceil(Fraction(review - budget, window_size)), len(order))
    for window in order[len(order) - dropped:]:
        for j in range(window * window_size, min((window + 1) * window_size, review)):
            kept[j] = False
    return kept


def select(options, num_layers, prompt_tokens, leader_scores, score_windows=window_scores):
    """The tokens each layer group keeps. leader_scores(group) gives token scores [head][review token]."""
    observation = min(options.observation_tokens, prompt_tokens)
    review = prompt_tokens - observation
    sizes = group_sizes(num_layers, options.shared_layers)
    always = always_kept_tokens(options, prompt_tokens, observation)
    if options.accounting == TOTAL:
        budgets = total_budgets(sizes, options.shared_layers, options.budget_tokens, options.beta,
                                sum(always), prompt_tokens)
    else:
        budgets = pyramid(options.budget_tokens, options.shared_layers, options.beta, len(sizes))
    groups = []
    for g, (size, budget) in enumerate(zip(sizes, budgets)):
        everything = review == 0 or (budget >= prompt_tokens if options.accounting == TOTAL
                                     else review <= budget)
        if everything:
            kept = [True] * prompt_tokens
        else:
            order = best_first(score_windows(leader_scores(g), options.window_size, options.strategy))
            kept = (select_total(order, always, budget, review, options.window_size)
                    if options.accounting == TOTAL else
                    select_review_only(order, prompt_tokens, budget, review, options.window_size))
        groups.append(Group(g * options.shared_layers, size, budget, to_ranges(kept)))
    return groups


def token_scores(q, k, observation):
    """Attention that the last `observation` queries pay to each review token, per query head.

    q[head][row][d] holds the last `observation` rows, k[kv_head][position][d] all positions, both after
    the rotary embedding. Returns [head][review token].
    """
    heads, prompt_tokens, dim = len(q), len(k[0]), len(q[0][0])
    ratio = heads // len(k)
    review = prompt_tokens - observation
    result = []
    for h in range(heads):
        keys = k[h // ratio]
        sums = [0.0] * review
        for row in range(observation):
            visible = review + row + 1
            logits = [sum(a * b for a, b in zip(q[h][row], keys[j])) / math.sqrt(dim)
                      for j in range(visible)]
            top = max(logits)
            weights = [math.exp(x - top) for x in logits]
            total = math.fsum(weights)
            for j in range(review):
                sums[j] += weights[j] / total
        result.append(sums)
    return result
