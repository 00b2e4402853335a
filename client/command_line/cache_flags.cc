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
      "All but full: prompt tokens kept per layer, mean over layers; [1, context length], default: "
      "the server's",
      [=](int32_t v) { request->mutable_cache()->set_budget_tokens(v); });
  auto* bytes = AddField<int64_t>(
      app, "--budget-bytes", "BYTES", "The same as KV bytes for the whole prompt; above 0",
      [=](int64_t v) { request->mutable_cache()->set_budget_bytes(v); });
  bytes->excludes(tokens);
  AddField<float>(app, "--budget-fraction", "FLOAT", "The same as a share of the prompt; (0, 1]",
                  [=](float v) { request->mutable_cache()->set_budget_fraction(v); })
      ->excludes(tokens)
      ->excludes(bytes);
}

void AddScoringFlags(CLI::App* app, v1::GenerateRequest* request) {
  AddField<int32_t>(app, "--observation-tokens", "TOKENS",
                    "windowkv, snapkv, pyramidkv: last tokens, always kept, whose queries score "
                    "the rest; [1, 512], default 32, windowkv with mean 16",
                    [=](int32_t v) { request->mutable_cache()->set_observation_tokens(v); });
  AddField<int32_t>(app, "--beta", "INT",
                    "windowkv, pyramidkv: slope of the budget over the layers; [1, 1024], default "
                    "14 / 8 of --shared-layers (windowkv) or 20 (pyramidkv)",
                    [=](int32_t v) { request->mutable_cache()->set_beta(v); });
}

void AddWindowFlags(CLI::App* app, v1::GenerateRequest* request) {
  AddField<int32_t>(app, "--window-size", "TOKENS",
                    "windowkv: consecutive tokens kept or dropped together; [1, 1024], default 8",
                    [=](int32_t v) { request->mutable_cache()->set_window_size(v); });
  AddField<int32_t>(app, "--shared-layers", "LAYERS",
                    "windowkv: layers that share one selection; [1, number of layers], default: "
                    "the server's",
                    [=](int32_t v) { request->mutable_cache()->set_shared_layers(v); });
  AddEnumFlag<v1::Strategy>(app, "--strategy",
                            "windowkv: how token scores become a window's; auto takes it from the "
                            "task; default auto",
                            [=](v1::Strategy v) { request->mutable_cache()->set_strategy(v); });
  AddEnumFlag<v1::TaskMapping>(
      app, "--task-mapping",
      "windowkv: which strategy auto takes for a task; default: the server's",
      [=](v1::TaskMapping v) { request->mutable_cache()->set_task_mapping(v); });
  AddEnumFlag<v1::BudgetAccounting>(
      app, "--accounting",
      "windowkv: whether observation, sink and pinned tokens count in the budget; default total, "
      "which is what the other policies count",
      [=](v1::BudgetAccounting v) { request->mutable_cache()->set_accounting(v); });
}

template <typename Range>
void SetRange(const std::string& text, Range* range) {
  const auto pair = ParsePair<int32_t>(text);  // PairCheck has read it before
  range->set_begin(pair->first);
  range->set_end(pair->second);
}

void AddAlwaysKeptFlags(CLI::App* app, v1::GenerateRequest* request) {
  AddField<int32_t>(app, "--sink-tokens", "TOKENS",
                    "All but full: first tokens, always kept; [0, 1024], default 4 (accounting "
                    "total) or 0",
                    [=](int32_t v) { request->mutable_cache()->set_sink_tokens(v); });
  AddRepeated<std::string>(app, "--pinned", "BEGIN:END",
                           "All but full: prompt tokens kept whatever their score, END exclusive; "
                           "repeatable, sorted",
                           [=](const std::string& text) {
                             SetRange(text,
                                      request->mutable_cache()->add_pinned()->mutable_tokens());
                           })
      ->check(PairCheck<int32_t>("BEGIN:END, such as 0:32"));
  AddRepeated<std::string>(
      app, "--pinned-characters", "BEGIN:END",
      "The same for characters (Unicode code points) of a prompt that is not --chat",
      [=](const std::string& text) {
        SetRange(text, request->mutable_cache()->add_pinned()->mutable_characters());
      })
      ->check(PairCheck<int32_t>("BEGIN:END, such as 0:120"));
  AddRepeated<int32_t>(
      app, "--pinned-message", "INDEX",
      "The same for a whole message of --chat, counted from 0; --system comes first",
      [=](int32_t index) { request->mutable_cache()->add_pinned()->set_message(index); });
  app->add_flag_callback(
      "--pin-system-prompt", [=] { request->mutable_cache()->set_pin_system_prompt(true); },
      "The same for the message of --system");
  app->add_flag_callback(
      "--echo-kept-ranges", [=] { request->set_echo_kept_ranges(true); },
      "Also return which prompt ranges each layer group kept, by KV head where heads differ");
}

}  // namespace

void AddWindowkvFlags(CLI::App* app, v1::GenerateRequest* request) {
  AddWindowFlags(app, request);
  AddScoringFlags(app, request);
}

void AddCacheFlags(CLI::App* app, v1::GenerateRequest* request) {
  app->option_defaults()->group("KV cache");
  AddBudgetFlags(app, request);
  AddWindowkvFlags(app, request);
  AddAlwaysKeptFlags(app, request);
}

}  // namespace windowkv::client
