"""Times transformers on a GPU, to compare the engine with on the same machine: SDPA attention, the whole cache.

    python peer_transformers.py DIR [--tokens 7950 32768]

Prints the median seconds to the first token after a prompt, and of a decode step after it.
"""

import argparse
import statistics
import time

import torch
import transformers


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, nargs="+", default=[7950, 32768])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        arguments.model, dtype=torch.bfloat16, attn_implementation="sdpa", device_map="cuda").eval()

    def seconds(call):
        torch.cuda.synchronize()
        start = time.perf_counter()
        result = call()
        torch.cuda.synchronize()
        return time.perf_counter() - start, result

    def step(ids, cache):
        return model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)

    print(f"transformers {transformers.__version__}, torch {torch.__version__}, {torch.cuda.get_device_name()}")
    for tokens in arguments.tokens:
        ids = torch.randint(2, model.config.vocab_size, (1, tokens), device="cuda")
        step(ids, None)
        took, output = zip(*(seconds(lambda: step(ids, None)) for _ in range(arguments.runs)))
        print(f"prefill of {tokens} tokens: {statistics.median(took) * 1e3:.1f} ms", flush=True)
        cache, token = output[-1].past_key_values, ids[:, :1]
        steps = [seconds(lambda: step(token, cache))[0] for _ in range(20)]
        print(f"decode step after them: {statistics.median(steps) * 1e3:.2f} ms", flush=True)
        del output, cache


if __name__ == "__main__":
    main()
