#include "tests/testing/fake_engine.h"

#include <utility>

#include "tests/testing/window_kv_config.h"

namespace windowkv::testing {
namespace {

CacheConfig AnswerCache() {
  CacheConfig cache = WindowKvConfig(/*budget_tokens=*/256, /*shared_layers=*/2);
  cache.pinned = {{10, 20}};
  return cache;
}

Receipt AnswerReceipt() {
  Receipt receipt;
  receipt.policy = CachePolicy::kWindowKv;
  receipt.groups = {{0, 2, 300, 296, {{{{0, 4}, {100, 392}}}}}, {2, 2, 212, 212, {}}};
  receipt.bytes_full = 4000;
  receipt.bytes_kept = 1000;
  receipt.bytes_prefill_peak = 2000;
  receipt.task = {Task::kAggregation, 0.75f, "no verdict"};
  receipt.strategy = Strategy::kTopHalfMean;
  receipt.selection_time = absl::Milliseconds(4);
  return receipt;
}

}  // namespace

FakeEngine::FakeEngine() {
  info.name = "fake";
  info.architecture = "LlamaForCausalLM";
  info.num_layers = 4;
  info.num_heads = 4;
  info.num_kv_heads = 2;
  info.head_dim = 16;
  info.vocab_size = 256;
  info.context_length = 4096;
  info.dtype = "float32";
  info.block_size = 16;
  info.block_bytes = 4096;
  info.kv_pool_bytes = 1 << 20;
  info.cache_rules.shape = {info.num_layers, info.context_length,
                            info.block_bytes / info.block_size, info.block_size};
  info.chat_template = "llama3";
}

FakeEngine::StreamOrStatus FakeEngine::Submit(GenerationRequest request) {
  {
    std::lock_guard lock(mu_);
    if (draining_) return absl::UnavailableError("draining");
    requests_.push_back(request);
  }
  return on_submit ? on_submit(request) : StreamOf(ShortAnswer());
}

std::vector<GenerationRequest> FakeEngine::requests() const {
  std::lock_guard lock(mu_);
  return requests_;
}

void FakeEngine::SetHeartbeatAge(absl::Duration age) {
  std::lock_guard lock(mu_);
  heartbeat_age_ = age;
}

void FakeEngine::SetDeviceStatus(absl::Status status) {
  std::lock_guard lock(mu_);
  device_status_ = std::move(status);
}

absl::Status FakeEngine::device_status() const {
  std::lock_guard lock(mu_);
  return device_status_;
}

absl::StatusOr<std::vector<int32_t>> FakeEngine::Tokenize(
    const std::variant<PromptText, PromptChat>& prompt) const {
  if (on_tokenize) on_tokenize();
  const auto* text = std::get_if<PromptText>(&prompt);
  if (text == nullptr) return absl::FailedPreconditionError("no chat template");
  std::vector<int32_t> ids;
  for (const char c : *text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

std::string FakeEngine::TokenText(int32_t token_id) const {
  return std::string(1, static_cast<char>(token_id));
}

EngineLoad FakeEngine::load() const {
  std::lock_guard lock(mu_);
  return {
      .free_blocks = 60, .total_blocks = 64, .running = 3, .waiting = 2, .accepting = !draining_};
}

absl::Duration FakeEngine::heartbeat_age() const {
  std::lock_guard lock(mu_);
  return heartbeat_age_;
}

std::vector<std::string> FakeEngine::step_request_ids() const { return {"stuck-1", "stuck-2"}; }

void FakeEngine::Drain(absl::Duration timeout) {
  {
    std::lock_guard lock(mu_);
    draining_ = true;
  }
  if (on_drain) on_drain(timeout);
}

std::vector<StreamEvent> ShortAnswer() {
  FinishedEvent finished;
  finished.reason = FinishReason::kStop;
  finished.matched_stop = "!";
  finished.usage = {.prompt_tokens = 1000,
                    .completion_tokens = 2,
                    .queued = absl::Milliseconds(1),
                    .prefill = absl::Milliseconds(1500),
                    .decode = absl::Milliseconds(3),
                    .time_to_first_token = absl::Milliseconds(1501)};
  finished.receipt = AnswerReceipt();
  return {AcceptedEvent{1000, {Task::kAggregation, 0.75f, "no verdict"}, AnswerCache()},
          ProgressEvent{2, 4},
          ChunkEvent{"Hello", {72}, {{{72, -0.5f, "H"}, {{72, -0.5f, "H"}, {73, -1.5f, "I"}}}}},
          ChunkEvent{", world", {44}, {}}, finished};
}

std::shared_ptr<TokenStream> StreamOf(std::vector<StreamEvent> events) {
  auto stream = std::make_shared<TokenStream>();
  for (StreamEvent& event : events) stream->Push(std::move(event));
  return stream;
}

}  // namespace windowkv::testing
