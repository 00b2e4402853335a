"""Writes a Llama checkpoint with random weights, for measuring where no trained one of that size is at hand.

    python make_random_llama.py OUT [--layers N] [--tokenizer DIR]

The shape is Llama-3-8B's (32 layers of 4096, 32 query heads, 8 KV heads of 128, a vocabulary of 128,256),
bfloat16, 16 GB in shards. Made on a GPU where there is one.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 4096, 14336, 32, 8, 128, 128256


def config(layers):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_hidden_layers": layers,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM,
        "hidden_act": "silu", "max_position_embeddings": 40960, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "rope_scaling": None, "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False,
        "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16",
    }


def shapes(layer):
    prefix = f"model.layers.{layer}."
    return {
        prefix + "self_attn.q_proj.weight": (HEADS * HEAD_DIM, HIDDEN),
        prefix + "self_attn.k_proj.weight": (KV_HEADS * HEAD_DIM, HIDDEN),
        prefix + "self_attn.v_proj.weight": (KV_HEADS * HEAD_DIM, HIDDEN),
        prefix + "self_attn.o_proj.weight": (HIDDEN, HEADS * HEAD_DIM),
        prefix + "mlp.gate_proj.weight": (INTERMEDIATE, HIDDEN),
        prefix + "mlp.up_proj.weight": (INTERMEDIATE, HIDDEN),
        prefix + "mlp.down_proj.weight": (HIDDEN, INTERMEDIATE),
        prefix + "input_layernorm.weight": (HIDDEN,),
        prefix + "post_attention_layernorm.weight": (HIDDEN,),
    }


def random_tensors(wanted, device):
    tensors = {}
    for name, shape in wanted.items():
        if len(shape) == 1:
            tensors[name] = torch.ones(shape, dtype=torch.bfloat16)
        else:
            values = torch.randn(shape, dtype=torch.bfloat16, device=device) * (0.5 / shape[1] ** 0.5)
            tensors[name] = values.cpu()
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--tokenizer", type=Path, help="a directory whose tokenizer files are taken along")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    outer = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "lm_head.weight": (VOCABULARY, HIDDEN),
             "model.norm.weight": (HIDDEN,)}
    weight_map = {}
    for shard, wanted in enumerate([outer, *map(shapes, range(arguments.layers))]):
        file = f"model-{shard:05d}.safetensors"
        save_file(random_tensors(wanted, device), arguments.out / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(wanted, file)
    (arguments.out / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (arguments.out / "config.json").write_text(json.dumps(config(arguments.layers), indent=1))
    if arguments.tokenizer:
        for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
            if (arguments.tokenizer / name).exists():
                shutil.copy(arguments.tokenizer / name, arguments.out)


if __name__ == "__main__":
    main()
