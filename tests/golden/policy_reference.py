"""STREAMING_LLM, SNAPKV, PYRAMIDKV and H2O in plain numpy: layer budgets and the tokens each KV head keeps.

Written from docs/cache_policies.md alone. Arithmetic is float64; scores are rounded to float32 before they
are compared, so that what is a tie there is a tie here. q[head][row][d] holds a prompt's last rows (all of
them for H2O), k[kv_head][position][d] all positions, both after the rotary embedding.
"""

import math
from dataclasses import dataclass, field

import numpy as np

import windowkv_reference as wkv

STREAMING_LLM = "STREAMING_LLM"
SNAPKV = "SNAPKV"
PYRAMIDKV = "PYRAMIDKV"
H2O = "H2O"
POLICIES = (STREAMING_LLM, SNAPKV, PYRAMIDKV, H2O)
OBSERVING = (SNAPKV, PYRAMIDKV)
POOL = 5
ROWS_AT_A_TIME = 256


@dataclass
class Options:
    policy: str
    budget_tokens: int  # mean over layers
    observation_tokens: int = 32  # SNAPKV, PYRAMIDKV
    beta: int = 20  # PYRAMIDKV
    sink_tokens: int = 4
    pinned: list = field(default_factory=list)  # [begin, end) pairs

    def as_json(self):
        """Without the options that do not apply to the policy."""
        unused = set() if self.policy in OBSERVING else {"observation_tokens"}
        unused |= set() if self.policy == PYRAMIDKV else {"beta"}
        return {name: value for name, value in vars(self).items() if name not in unused}


def observation_of(options, prompt_tokens):
    return min(options.observation_tokens, prompt_tokens) if options.policy in OBSERVING else 0


def layer_budgets(options, num_layers, prompt_tokens):
    """Tokens per layer. BudgetTooSmall when the budget cannot hold what is kept whatever its score."""
    always = sum(wkv.always_kept_tokens(options, prompt_tokens, observation_of(options, prompt_tokens)))
    beta = options.beta if options.policy == PYRAMIDKV else 1  # 1: all layers equal
    return wkv.total_budgets([1] * num_layers, 1, options.budget_tokens, beta, always, prompt_tokens)


def always_kept(options, budget, prompt_tokens):
    """Flags of sink, pinned and last tokens under a layer budget smaller than the prompt."""
    kept = np.array(wkv.always_kept_tokens(options, prompt_tokens, observation_of(options, prompt_tokens)))
    if options.policy not in OBSERVING:
        recent = budget - int(kept.sum())
        recent = recent // 2 if options.policy == H2O else recent
        others = np.flatnonzero(~kept)  # a token that is kept already costs nothing
        kept[others[len(others) - recent:]] = True
    return kept


def attention_rows(q, k, first_position, dtype):
    """Softmax weights of consecutive queries of one head over all keys, causal."""
    logits = (q @ k.T / dtype(math.sqrt(q.shape[1]))).astype(dtype)
    positions = first_position + np.arange(len(q))[:, None]
    logits[np.arange(len(k))[None] > positions] = -np.inf
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def attention_mass(q, k, dtype):
    """[KV head][token]: weights summed over the given queries and over the query heads of a KV head."""
    heads, rows, _ = q.shape
    kv_heads, prompt_tokens, _ = k.shape
    mass = np.zeros((kv_heads, prompt_tokens), dtype)
    for h in range(heads):
        for begin in range(0, rows, ROWS_AT_A_TIME):
            part = q[h, begin:begin + ROWS_AT_A_TIME]
            weights = attention_rows(part, k[h * kv_heads // heads], prompt_tokens - rows + begin, dtype)
            mass[h * kv_heads // heads] += weights.sum(axis=0)
    return mass


def pooled(mass):
    """The mean over POOL neighbours; positions outside count as 0."""
    reach = POOL // 2
    padded = np.pad(mass, ((0, 0), (reach, reach)))
    return sum(padded[:, i:i + mass.shape[1]] for i in range(POOL)) / mass.dtype.type(POOL)


def token_scores(options, q, k, dtype=np.float64):
    """[KV head][token] float32; SNAPKV and PYRAMIDKV score only the tokens before the observation."""
    prompt_tokens = k.shape[1]
    rows = observation_of(options, prompt_tokens) if options.policy in OBSERVING else prompt_tokens
    mass = attention_mass(q[:, q.shape[1] - rows:].astype(dtype), k.astype(dtype), dtype)
    if options.policy in OBSERVING:
        mass = pooled(mass[:, :prompt_tokens - rows])
    return mass.astype(np.float32)


def must_score(options, budget, prompt_tokens):
    """Whether scores decide anything in a layer."""
    return (budget < prompt_tokens and options.policy != STREAMING_LLM
            and always_kept(options, budget, prompt_tokens).sum() < budget)


def ranked(scores, always):
    """Tokens that are not kept anyway, best first, the lower index on a tie."""
    return sorted((j for j in range(len(scores)) if not always[j]), key=lambda j: (-scores[j], j))


def select(options, budget, prompt_tokens, scores=None):
    """The ranges each KV head keeps in one layer, and the smallest relative gap of scores at a cut.

    scores: token_scores(); None where must_score() is false, then the one list of ranges is every head's.
    """
    if budget >= prompt_tokens:
        return [[[0, prompt_tokens]]], math.inf
    always = always_kept(options, budget, prompt_tokens)
    if not must_score(options, budget, prompt_tokens):
        return [wkv.to_ranges(always)], math.inf
    kept_ranges, gap = [], math.inf
    for row in scores:
        order = ranked(row, always)
        count = budget - int(always.sum())
        kept = always.copy()
        kept[order[:count]] = True
        kept_ranges.append(wkv.to_ranges(kept))
        if count < len(order):
            gap = min(gap, float((row[order[count - 1]] - row[order[count]]) / row[order[count - 1]]))
    return kept_ranges, gap
