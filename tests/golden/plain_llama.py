"""Llama spelled out in torch in float32, for prompts whose cache is reduced after they are read.

Weights and rotary tables are by transformers.
"""

import json
import math
import pathlib

import torch
from transformers import LlamaForCausalLM

DATA = pathlib.Path(__file__).parent / "data"
DEMO = pathlib.Path(__file__).parents[2] / "deploy/models/demo_llama"
LEAST_MARGIN = 2e-3  # between the best two logits of every step of a golden


class PlainLlama:
    """Reads a prompt layer by layer and decodes over whatever each layer kept of it."""

    def __init__(self, directory):
        hf = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="sdpa").eval()
        self.hf, self.config, self.layers = hf, hf.config, hf.model.layers
        self.num_layers = self.config.num_hidden_layers
        self.ratio = self.config.num_attention_heads // self.config.num_key_value_heads

    def qkv(self, layer, x, first_position):
        """[heads, tokens, head_dim] each, after the rotary embedding."""
        h = layer.input_layernorm(x)
        split = lambda y: y.view(len(x), -1, self.config.head_dim).transpose(0, 1)
        attention = layer.self_attn
        q, k, v = split(attention.q_proj(h)), split(attention.k_proj(h)), split(attention.v_proj(h))
        positions = torch.arange(first_position, first_position + len(x))[None]
        cos, sin = (t[0] for t in self.hf.model.rotary_emb(x, positions))
        return rotate(q, cos, sin), rotate(k, cos, sin), v

    def attend(self, q, k, v, causal):
        k, v = k.repeat_interleave(self.ratio, 0), v.repeat_interleave(self.ratio, 0)
        out = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=causal)[0]
        return out.transpose(0, 1).flatten(1)

    def finish(self, layer, x, attended):
        x = x + layer.self_attn.o_proj(attended)
        return x + layer.mlp(layer.post_attention_layernorm(x))

    def logits(self, x):
        return self.hf.lm_head(self.hf.model.norm(x[-1]))

    @torch.no_grad()
    def prefill(self, ids, observation):
        """Logits of the last position, every layer's K and V, and its last `observation` rows of Q."""
        x = self.hf.model.embed_tokens(torch.tensor(ids))
        caches, queries = [], []
        for layer in self.layers:
            q, k, v = self.qkv(layer, x, 0)
            caches.append((k, v))
            queries.append(q[:, max(0, len(ids) - observation):])
            x = self.finish(layer, x, self.attend(q, k, v, causal=True))
        return self.logits(x), caches, queries

    @torch.no_grad()
    def decode(self, first_logits, caches, position, new_tokens):
        """Greedy tokens at true positions, and the smallest gap between the best two logits."""
        tokens, margin, logits = [], math.inf, first_logits
        caches = list(caches)
        while True:
            best = torch.topk(logits, 2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            tokens.append(best.indices[0].item())
            if len(tokens) == new_tokens:
                return tokens, margin
            x = self.hf.model.embed_tokens(torch.tensor(tokens[-1:]))
            for i, layer in enumerate(self.layers):
                q, k, v = self.qkv(layer, x, position)
                caches[i] = tuple(torch.cat(pair, 1) for pair in zip(caches[i], (k, v)))
                x = self.finish(layer, x, self.attend(q, *caches[i], causal=False))
            logits, position = self.logits(x), position + 1


def rotate(x, cos, sin):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


@torch.no_grad()
def check_against_transformers(model):
    ids = list(range(2, 60))
    logits, caches, _ = model.prefill(ids, 16)
    assert torch.allclose(logits, model.hf(torch.tensor([ids])).logits[0, -1], atol=1e-4)
    tokens, _ = model.decode(logits, caches, len(ids), 8)
    for token in tokens:
        assert model.hf(torch.tensor([ids])).logits[0, -1].argmax().item() == token
        ids.append(token)


def random_ids(model, length, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, model.config.vocab_size, (length,), generator=generator).tolist()


def demo_prompts():
    return json.loads((DATA / "demo_llama.json").read_text())["cases"]


def random_checkpoint(name):
    model = PlainLlama(DATA / "llama" / name)
    check_against_transformers(model)
    return model
