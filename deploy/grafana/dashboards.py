#!/usr/bin/env python3
"""Writes the dashboards beside this file:

    python3 deploy/grafana/dashboards.py

tests/prometheus/dashboards_test.py compares what is committed with what this writes.
"""

import json
import pathlib

from panels import curves, dashboard, heat_map, label_variable, stat, text_variable

# Series of generation servers, of a router or classifier.
ENGINE = '{namespace=~"$namespace",model=~"$model",instance=~"$instance"}'
OTHERS = '{namespace=~"$namespace"}'
GIB = "2^30"

PLACE = [
    label_variable("namespace", "namespace", "up", "Kubernetes namespace; All outside Kubernetes"),
    label_variable("model", "model", 'windowkv_requests_running{namespace=~"$namespace"}', "Model that generates"),
    label_variable(
        "instance",
        "instance",
        'windowkv_requests_running{namespace=~"$namespace",model=~"$model"}',
        "Generation server",
    ),
]
PRICE = text_variable(
    "price_per_gib_hour",
    "0.03",
    "What a GiB of the memory that caches live in costs per hour: a machine's price per hour by its GiB",
)


def rate(metric, selector=ENGINE):
    return f"rate({metric}{selector}[$__rate_interval])"


def quantile(share, metric, selector=ENGINE):
    return f"histogram_quantile({share}, sum by (le) ({rate(metric + '_bucket', selector)}))"


def saved_share(by, interval):
    return (
        f"sum by ({by}) (rate(windowkv_kv_saved_bytes_total{ENGINE}[{interval}]))"
        f" / (sum by ({by}) (rate(windowkv_kv_full_bytes_total{ENGINE}[{interval}])) > 0)"
    )


def memory_savings():
    running = f"sum(windowkv_requests_running{ENGINE})"
    running_full = f"sum(windowkv_requests_running_full_cache{ENGINE})"
    saved_now = f"sum(windowkv_kv_saved_now_bytes{ENGINE})"
    # Of the sum: a server that was there for a part of the time counts for that part, and none is 0.
    saved_mean = f"avg_over_time(({saved_now} or vector(0))[$__range:1m])"
    not_asked = '{namespace=~"$namespace",reason!="not_configured"}'
    panels = [
        stat("Saved now", "KV bytes that full caches would hold more, for what runs now.", "bytes", saved_now),
        stat(
            "Saved on average",
            "Mean of the bytes saved over the time shown: memory that need not be there.",
            "bytes",
            saved_mean,
        ),
        stat(
            "Freed in total",
            "KV bytes of prompts freed by requests that ended in the time shown, as their receipts say.",
            "bytes",
            f"sum(increase(windowkv_kv_saved_bytes_total{ENGINE}[$__range]))",
        ),
        stat(
            "Share freed",
            "Of the prompts' KV bytes in the time shown, the share that compression freed.",
            "percentunit",
            saved_share("", "$__range"),
        ),
        stat(
            "Money saved per hour now",
            "Saved now times price_per_gib_hour, in the price's currency.",
            "short",
            f"{saved_now} / {GIB} * $price_per_gib_hour",
        ),
        stat(
            "Money saved in the time shown",
            "GiB-hours saved times price_per_gib_hour, in the price's currency.",
            "short",
            f"{saved_mean} / {GIB} * $__range_s / 3600 * $price_per_gib_hour",
        ),
        stat(
            "More requests at once now",
            "Requests that run, less those of them that would fit the pool with full caches.",
            "short",
            f"{running} - {running_full}",
        ),
        stat(
            "Most more at once",
            "The largest gain in requests at once in the time shown.",
            "short",
            f"max_over_time(({running} - {running_full})[$__range:])",
        ),
        curves(
            "Cache of what runs",
            "Held and saved; together what full caches would hold.",
            "bytes",
            (f"sum(windowkv_kv_held_bytes{ENGINE})", "held"),
            (saved_now, "saved"),
            stacked=True,
        ),
        curves(
            "Requests at once",
            "That run, and how many of them would fit the pool with full caches.",
            "short",
            (running, "running"),
            (running_full, "with full caches"),
        ),
        curves(
            "Freed by policy",
            "KV bytes of prompts freed per second, by cache policy.",
            "Bps",
            (f"sum by (policy) ({rate('windowkv_kv_saved_bytes_total')})", "{{policy}}"),
            stacked=True,
        ),
        curves(
            "Freed by task",
            "KV bytes of prompts freed per second, by task.",
            "Bps",
            (f"sum by (task) ({rate('windowkv_kv_saved_bytes_total')})", "{{task}}"),
            stacked=True,
        ),
        curves(
            "Share freed by policy and task",
            "Of the prompts' KV bytes, the share that compression freed.",
            "percentunit",
            (saved_share("policy, task", "$__rate_interval"), "{{policy}}, {{task}}"),
        ),
        heat_map(
            "Share kept",
            "Prompts by the share of their KV bytes that was kept.",
            "percentunit",
            f"sum by (le) (increase(windowkv_kv_kept_fraction_bucket{ENGINE}[$__rate_interval]))",
        ),
        curves(
            "Peak while prompts are read",
            "Most KV bytes alive at once while one prompt was read: kept blocks and one layer's scratch.",
            "bytes",
            (quantile(0.5, "windowkv_prefill_peak_bytes"), "median"),
            (quantile(0.95, "windowkv_prefill_peak_bytes"), "95th percentile"),
        ),
        curves(
            "Compression that kept everything",
            "Requests per second that asked for compression and kept every token: their budget saves nothing.",
            "reqps",
            (f"sum({rate('windowkv_compression_kept_everything_total')})", "kept everything"),
        ),
        curves(
            "Classifier's confidence",
            "A proxy of quality: how sure the classifier is of the task, which chooses the selection's strategy.",
            "percentunit",
            (quantile(0.1, "windowkv_classifier_confidence", OTHERS), "10th percentile"),
            (quantile(0.5, "windowkv_classifier_confidence", OTHERS), "median"),
        ),
        curves(
            "Fallbacks to the default task",
            "A proxy of quality: requests per second that took the default task, by why the classifier did not answer.",
            "reqps",
            (f"sum by (reason) ({rate('windowkv_router_classifier_fallbacks_total', not_asked)})", "{{reason}}"),
        ),
    ]
    return dashboard(
        "windowkv-memory-savings",
        "WindowKV: memory savings",
        "The memory and the money that compressed KV caches save, and what they gain.",
        [*PLACE, PRICE],
        panels,
    )


def service_health():
    panels = [
        curves(
            "Router: requests",
            "Generate calls that ended per second, by gRPC code.",
            "reqps",
            (f"sum by (code) ({rate('windowkv_router_requests_total', OTHERS)})", "{{code}}"),
            stacked=True,
        ),
        curves(
            "Router: duration and delay",
            "Whole calls, and what router and classifier add before the first backend; 95th percentiles.",
            "s",
            (quantile(0.95, "windowkv_router_request_duration_seconds", OTHERS), "whole call"),
            (quantile(0.95, "windowkv_router_forward_delay_seconds", OTHERS), "until forwarded"),
        ),
        curves(
            "Router: backends",
            "1 while a generation server takes requests, and the streams open on it.",
            "short",
            (f"windowkv_router_backend_up{OTHERS}", "{{backend}} up"),
            (f"windowkv_router_open_streams{OTHERS}", "{{backend}} streams"),
        ),
        curves(
            "Classifier: texts and errors",
            "Texts classified per second by task, and calls that failed.",
            "cps",
            (f"sum by (task) ({rate('windowkv_classifier_decisions_total', OTHERS)})", "{{task}}"),
            (
                f"sum({rate('windowkv_classifier_request_failures_total', OTHERS)}) or vector(0)",
                "failed",
            ),
        ),
        curves(
            "Classifier: duration",
            "Of its calls.",
            "s",
            (quantile(0.5, "windowkv_classifier_request_duration_seconds", OTHERS), "median"),
            (quantile(0.95, "windowkv_classifier_request_duration_seconds", OTHERS), "95th percentile"),
        ),
        curves(
            "Generation: requests",
            "Requests that ended well per second, by finish reason, and failures by code.",
            "reqps",
            (f"sum by (finish_reason) ({rate('windowkv_request_success_total')})", "{{finish_reason}}"),
            (f"sum by (code) ({rate('windowkv_request_failures_total')})", "{{code}}"),
        ),
        heat_map(
            "Time to first token",
            "Requests by the time from their arrival to their first token.",
            "s",
            f"sum by (le) (increase(windowkv_time_to_first_token_seconds_bucket{ENGINE}[$__rate_interval]))",
        ),
        heat_map(
            "Inter-token latency",
            "Tokens by the time since the one before.",
            "s",
            f"sum by (le) (increase(windowkv_inter_token_latency_seconds_bucket{ENGINE}[$__rate_interval]))",
        ),
        curves(
            "Where the time goes",
            "Of a request, means: in the queue, reading the prompt, selecting, generating.",
            "s",
            *[
                (
                    f"sum({rate(f'windowkv_{metric}_seconds_sum')}) / sum({rate(f'windowkv_{metric}_seconds_count')})",
                    legend,
                )
                for metric, legend in (
                    ("request_queue", "queue"),
                    ("request_prefill", "prefill"),
                    ("selection", "selection"),
                    ("request_decode", "decode"),
                )
            ],
        ),
        curves(
            "Queue",
            "Requests that run and that wait, by server.",
            "short",
            (f"windowkv_requests_running{ENGINE}", "{{instance}} running"),
            (f"windowkv_requests_waiting{ENGINE}", "{{instance}} waiting"),
        ),
        curves(
            "KV pool",
            "Share of the pool that is held or reserved, by server.",
            "percentunit",
            (f"windowkv_kv_pool_utilization_ratio{ENGINE}", "{{instance}}"),
        ),
        curves(
            "Tokens",
            "Prompt tokens of requests that ended, and tokens generated, per second.",
            "cps",
            (f"sum({rate('windowkv_prompt_tokens_total')})", "prompt"),
            (f"sum({rate('windowkv_generated_tokens_total')})", "generated"),
        ),
        curves(
            "Engine",
            "Duration of the engine's steps; a long one holds every stream up.",
            "s",
            (quantile(0.5, "windowkv_engine_step_seconds"), "median step"),
            (quantile(0.99, "windowkv_engine_step_seconds"), "99th percentile"),
        ),
        curves(
            "Batch",
            "Sequences decoded in one step, mean.",
            "short",
            (
                f"sum({rate('windowkv_engine_batch_size_sum')}) / sum({rate('windowkv_engine_batch_size_count')})",
                "sequences",
            ),
        ),
        curves(
            "What was cut short",
            "Preemptions, deadlines that could not be met and clients that did not read on, per second.",
            "cps",
            (f"sum({rate('windowkv_preemptions_total')})", "preempted"),
            (f"sum({rate('windowkv_deadline_unreachable_total')})", "deadline unreachable"),
            (f"sum({rate('windowkv_slow_readers_total')})", "slow readers"),
        ),
        curves(
            "Memory of the processes",
            "Resident memory, by process.",
            "bytes",
            ('process_resident_memory_bytes{namespace=~"$namespace",job=~"windowkv-.*"}', "{{job}} {{instance}}"),
        ),
        curves(
            "Processor time",
            "Cores in use, by process.",
            "short",
            (
                'rate(process_cpu_seconds_total{namespace=~"$namespace",job=~"windowkv-.*"}[$__rate_interval])',
                "{{job}} {{instance}}",
            ),
        ),
    ]
    return dashboard(
        "windowkv-service-health",
        "WindowKV: service health",
        "Traffic, errors, latency and saturation of router, classifier and generation servers.",
        PLACE,
        panels,
    )


def files():
    """File name → its text."""
    boards = {"memory_savings.json": memory_savings(), "service_health.json": service_health()}
    return {name: json.dumps(board, indent=1, ensure_ascii=False) + "\n" for name, board in boards.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (pathlib.Path(__file__).parent / name).write_text(text)
