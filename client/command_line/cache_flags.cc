#include "client/command_line/cache_flags.h"

#include "client/command_line/enum_names.h"
#include "client/command_line/field_flag.h"

namespace windowkv::client {
namespace {

void AddBudgetFlags(CLI::App* app, v1::GenerateRequest* request) {
  AddEnumFlag<v1::CachePolicy>(app, "--policy",
                               "Which prompt tokens stay cached; default: the server's",
                               [=](v1::CachePolicy v) { request->mutable_cache()->set_policy(v); });
  auto* tokens = AddField<int32_t>(
      app, "--budget-tokens", "TOKENS",
      "Prompt tokens kept per layer, mean over layers; [1, context length], default: the server's",
      [=](int32_t v) { request->mutable_cache()->set_budget_tokens(v); });
  auto* bytes = AddField<int64_t>(
      app, "--budget-bytes", "BYTES", "The same as KV bytes for the whole prompt; above 0",
      [=](int64_t v) { request->mutable_cache()->set_budget_bytes(v); });
  bytes->excludes(tokens);
  AddField<float>(app, "--budget-fraction", "FLOAT", "The same as a share of the prompt; (0, 1]",
                  [=](float v) { request->mutable_cache()->set_budget_fraction(v); })
      ->excludes(tokens)
      ->excludes(bytes);
  AddEnumFlag<v1::BudgetAccounting>(
      app, "--accounting",
      "Whether observation, sink and pinned tokens count in the budget; default total",
      [=](v1::BudgetAccounting v) { request->mutable_cache()->set_accounting(v); });
}

void AddSelectionFlags(CLI::App* app, v1::GenerateRequest* request) {
  AddField<int32_t>(app, "--window-size", "TOKENS",
                    "Consecutive tokens kept or dropped together; [1, 1024], default 8",
                    [=](int32_t v) { request->mutable_cache()->set_window_size(v); });
  AddField<int32_t>(app, "--shared-layers", "LAYERS",
                    "Layers that share one selection; [1, number of layers], default: the server's",
                    [=](int32_t v) { request->mutable_cache()->set_shared_layers(v); });
  AddField<int32_t>(app, "--observation-tokens", "TOKENS",
                    "Last tokens, always kept, whose queries score the rest; [1, 512], default 16 "
                    "(mean) or 32 (top_half_mean)",
                    [=](int32_t v) { request->mutable_cache()->set_observation_tokens(v); });
  AddField<int32_t>(app, "--beta", "INT",
                    "Slope of the budget over layer groups; [1, 1024], default 14",
                    [=](int32_t v) { request->mutable_cache()->set_beta(v); });
  AddEnumFlag<v1::Strategy>(app, "--strategy",
                            "How token scores become a window's; auto takes it from the task; "
                            "default auto",
                            [=](v1::Strategy v) { request->mutable_cache()->set_strategy(v); });
  AddEnumFlag<v1::TaskMapping>(
      app, "--task-mapping", "Which strategy auto takes for a task; default: the server's",
      [=](v1::TaskMapping v) { request->mutable_cache()->set_task_mapping(v); });
  AddField<int32_t>(app, "--sink-tokens", "TOKENS",
                    "First tokens, always kept; [0, 1024], default 4 (accounting total) or 0",
                    [=](int32_t v) { request->mutable_cache()->set_sink_tokens(v); });
  AddRepeated<std::string>(app, "--pinned", "BEGIN:END",
                           "Prompt token range kept whatever its score, END exclusive; repeatable, "
                           "sorted",
                           [=](const std::string& text) {
                             const auto pair = ParsePair<int32_t>(text);
                             auto* range = request->mutable_cache()->add_pinned();
                             range->set_begin(pair->first);
                             range->set_end(pair->second);
                           })
      ->check(PairCheck<int32_t>("BEGIN:END, such as 0:32"));
  app->add_flag_callback(
      "--echo-kept-ranges", [=] { request->set_echo_kept_ranges(true); },
      "Also return which prompt ranges each layer group kept");
}

}  // namespace

void AddCacheFlags(CLI::App* app, v1::GenerateRequest* request) {
  app->option_defaults()->group("KV cache");
  AddBudgetFlags(app, request);
  AddSelectionFlags(app, request);
}

}  // namespace windowkv::client
