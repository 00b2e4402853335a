"""Writes small random Llama checkpoints and what transformers computes with them: data/llama/CASE/.

Run: python make_llama_goldens.py (a minute). README.md gives the schema of golden.json.
"""

import dataclasses
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

DATA = pathlib.Path(__file__).parent / "data" / "llama"
PROMPT_LENGTHS = (1, 5, 40, 200)
NEW_TOKENS = 24
LEAST_MARGIN = 2e-3  # between the best two logits of a greedy step
LEAST_DISTINCT = 6   # different tokens in a greedy text, so that it's no loop of one
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclasses.dataclass
class Case:
    name: str
    config: dict
    dtype: str
    num_shards: int = 1
    tokenizer: bool = False
    stop: str = ""  # where the end-of-text ids stand: "list", "generation_config"


def config(hidden, heads, kv_heads, layers=2, vocab=96, context=256, intermediate=64, **more):
    values = dict(architectures=["LlamaForCausalLM"], model_type="llama", vocab_size=vocab, hidden_size=hidden,
                  intermediate_size=intermediate, num_hidden_layers=layers, num_attention_heads=heads,
                  num_key_value_heads=kv_heads, hidden_act="silu", max_position_embeddings=context,
                  rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=False, attention_bias=False,
                  mlp_bias=False, bos_token_id=0, eos_token_id=1)
    return values | more


# Of the frequencies of 16-wide heads, one is kept, one falls between the bounds, six are stretched.
LLAMA3_ROPE = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=32)
CASES = [
    Case("equal_heads_f32", config(32, 4, 4, intermediate=56), "float32"),
    Case("grouped_by_two_tied_bf16_sharded",
         config(48, 4, 2, layers=3, head_dim=12, tie_word_embeddings=True, rms_norm_eps=1e-6), "bfloat16",
         num_shards=2),
    Case("grouped_by_three_wide_heads_f16", config(48, 6, 2, layers=3, head_dim=16), "float16"),
    Case("one_kv_head_biases_bf16",
         config(40, 5, 1, attention_bias=True, mlp_bias=True, tie_word_embeddings=True), "bfloat16"),
    Case("rope_linear_f16",
         config(32, 4, 2, context=512, rope_scaling=dict(type="linear", factor=4.0), rope_theta=5000.0), "float16"),
    Case("rope_llama3_bf16_sharded",
         config(48, 6, 2, context=512, head_dim=16, rope_scaling=LLAMA3_ROPE), "bfloat16", num_shards=3),
    Case("rope_parameters_f32",  # config.json as transformers 5 writes it
         dict(config(32, 4, 2, context=512, attention_bias=True), dtype="float32", head_dim=16,
              rope_parameters=LLAMA3_ROPE | {"rope_theta": 20000.0}), "float32"),
    Case("several_ends_bf16", config(32, 8, 4, head_dim=8), "bfloat16", stop="list"),
    Case("ends_in_generation_config_bf16", config(32, 2, 1), "bfloat16", stop="generation_config"),
    Case("five_layers_tokenizer_bf16", config(32, 4, 2, layers=5, vocab=288, context=512), "bfloat16",
         tokenizer=True),
]


def random_weights(case, generator):
    """Wide enough that attention and logits differ from token to token."""
    model = LlamaForCausalLM(LlamaConfig(**case.config))
    weights = {}
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("norm.weight"):
            weights[name] = 1 + 0.25 * noise
        elif name.endswith("bias"):
            weights[name] = 0.3 * noise
        elif "embed_tokens" in name:
            weights[name] = (0.2 if case.config["tie_word_embeddings"] else 1.0) * noise
        else:
            gain = {"q_proj": 1.6, "k_proj": 1.6, "lm_head": 2.0}.get(name.split(".")[-2], 1.0)
            weights[name] = gain / parameter.shape[-1] ** 0.5 * noise
    return {name: value.to(DTYPES[case.dtype]).contiguous() for name, value in weights.items()}


def write_weights(directory, weights, num_shards):
    if num_shards == 1:
        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
        return
    names = sorted(weights)
    weight_map = {}
    for shard in range(num_shards):
        file = f"model-{shard + 1:05}-of-{num_shards:05}.safetensors"
        part = names[shard * len(names) // num_shards:(shard + 1) * len(names) // num_shards]
        save_file({n: weights[n] for n in part}, directory / file, metadata={"format": "pt"})
        weight_map.update({n: file for n in part})
    size = sum(w.numel() * w.element_size() for w in weights.values())
    write_json(directory / "model.safetensors.index.json",
               {"metadata": {"total_size": size}, "weight_map": weight_map})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def write_tokenizer(directory, vocab_size):
    """Byte-level BPE with all bytes, a few merges and two special tokens."""
    specials = ["<|begin_of_text|>", "<|end_of_text|>"]
    tokens = specials + sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = []
    for pair in ("t h", "th e", "i n", "Ġ the", "e r", "o n", "a n", "r e", "Ġ a", "e s", "o r", "e n", "a t", "e d",
                 "Ġ o", "Ġo f", "i s", "i t", "a l", "a r", "Ġ t", "Ġ s", "an d", "Ġ and", "in g", "i on", "s t",
                 "l e", "o u", "v e"):
        if len(tokens) < vocab_size:
            merges.append(tuple(pair.split(" ")))
            tokens.append(pair.replace(" ", ""))
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(specials)
    tokenizer.save(str(directory / "tokenizer.json"))


def write_checkpoint(case, directory, seed):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    stored = dict(case.config)
    if "dtype" not in stored:
        stored["torch_dtype"] = case.dtype
    if "rope_parameters" in stored:
        del stored["rope_theta"]
    write_json(directory / "config.json", stored)
    write_weights(directory, random_weights(case, torch.Generator().manual_seed(seed)), case.num_shards)
    for file in directory.iterdir():
        file.chmod(0o644)
    if case.tokenizer:
        write_tokenizer(directory, case.config["vocab_size"])


def load(directory):
    model = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


@torch.no_grad()
def logits_of(model, ids):
    return model(torch.tensor([ids])).logits[0]


def greedy(model, prompt, new_tokens):
    """Tokens, and the smallest gap between the best two logits. The whole text is read anew for each token."""
    ids, margin = list(prompt), float("inf")
    for _ in range(new_tokens):
        best = torch.topk(logits_of(model, ids)[-1], 2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        ids.append(best.indices[0].item())
    return ids[len(prompt):], margin


def rounded(values):
    return [float(f"{v:.8g}") for v in values.tolist()]


def make_prompts(model, vocab_size, seed):
    """The golden prompts, or None where a near-tie or a loop would make one worthless."""
    generator = torch.Generator().manual_seed(seed)
    prompts = []
    for length in PROMPT_LENGTHS:
        ids = torch.randint(2, vocab_size, (length,), generator=generator).tolist()
        tokens, margin = greedy(model, ids, NEW_TOKENS)
        if margin < LEAST_MARGIN or len(set(tokens)) < LEAST_DISTINCT:
            return None
        logits = logits_of(model, ids)
        prompt = {"input_ids": ids, "last_logits": rounded(logits[-1]), "greedy": tokens}
        if length == 5:
            prompt["all_logits"] = [rounded(row) for row in logits]
        prompts.append(prompt)
    return prompts


def end_ids(prompts, vocab_size):
    """Two ids: one that the longest prompt's text comes to after at least four tokens, one that it doesn't."""
    tokens = prompts[-1]["greedy"]
    reached = next(t for i, t in enumerate(tokens) if i >= 4 and t not in tokens[:i])
    absent = next(t for t in range(2, vocab_size) if all(t not in p["greedy"] for p in prompts))
    return [absent, reached]


def add_ends(case, directory, prompts):
    """Names the end-of-text ids in the checkpoint; each prompt gets its text up to and with the first."""
    ends = end_ids(prompts, case.config["vocab_size"])
    if case.stop == "list":
        stored = json.loads((directory / "config.json").read_text()) | {"eos_token_id": ends}
        write_json(directory / "config.json", stored)
    else:
        write_json(directory / "generation_config.json", {"bos_token_id": 0, "eos_token_id": ends})
    model = load(directory)
    for prompt in prompts:
        ids = torch.tensor([prompt["input_ids"]])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False,
                             pad_token_id=0)
        prompt["greedy_until_end"] = out[0, ids.shape[1]:].tolist()
        expected = prompt["greedy"]
        cut = min((expected.index(e) + 1 for e in ends if e in expected), default=NEW_TOKENS)
        assert prompt["greedy_until_end"] == expected[:cut], case.name


def make_case(case):
    directory = DATA / case.name
    for seed in range(1, 200):
        write_checkpoint(case, directory, seed)
        prompts = make_prompts(load(directory), case.config["vocab_size"], seed)
        if prompts:
            break
    else:
        raise RuntimeError(f"{case.name}: no seed gives clear greedy texts")
    if case.stop:
        add_ends(case, directory, prompts)
    lines = ",\n".join(json.dumps(p, separators=(",", ":")) for p in prompts)
    (directory / "golden.json").write_text('{"prompts":[\n' + lines + "\n]}\n")
    size = sum(f.stat().st_size for f in directory.iterdir())
    print(f"{case.name}: seed {seed}, {size} bytes", flush=True)


def main():
    torch.set_num_threads(1)
    for case in CASES:
        make_case(case)


if __name__ == "__main__":
    main()
