"""The selections of SnapKV, PyramidKV and H2O as their papers define them, one KV head per query head.

A second, independent spelling in torch that policy_reference.py is checked against where the two must
agree: no sink and no pinned tokens. README.md gives the settings.
"""

import math

import torch


def causal_weights(q, k):
    """[head][query][key] for the last queries of a prompt."""
    rows, tokens = q.shape[1], k.shape[1]
    hidden = torch.ones(rows, tokens, dtype=torch.bool).triu(tokens - rows + 1)
    logits = torch.einsum("hid,hjd->hij", q, k) / math.sqrt(q.shape[2])
    return logits.masked_fill(hidden, -math.inf).softmax(-1)


def sorted_with_last(chosen, tokens, last):
    return torch.cat([chosen, torch.arange(tokens - last, tokens).expand(len(chosen), -1)], 1).sort(1).values


def snapkv(q, k, capacity, window):
    """arXiv 2404.14469: top tokens of the average-pooled votes of the window, and the window."""
    tokens = k.shape[1]
    votes = causal_weights(q[:, -window:], k)[..., :tokens - window].sum(1)
    smooth = torch.nn.functional.avg_pool1d(votes[None], kernel_size=5, padding=2, stride=1)[0]
    return sorted_with_last(smooth.topk(capacity - window, dim=-1).indices, tokens, window)


def h2o(q, k, heavy, recent):
    """arXiv 2306.14048: heavy hitters of the accumulated attention, and the most recent tokens."""
    tokens = k.shape[1]
    accumulated = causal_weights(q, k).sum(1)[:, :tokens - recent]
    return sorted_with_last(accumulated.topk(heavy, dim=-1).indices, tokens, recent)


def pyramidkv_budgets(capacity, window, beta, num_layers):
    """arXiv 2406.02069: the tokens of each layer, the window's included; prompts over twice the capacity."""
    least = (capacity - window) // beta
    most = 2 * (capacity - window) - least
    step = (most - least) // (num_layers - 1)
    return [most - layer * step + window for layer in range(num_layers)]
