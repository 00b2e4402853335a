#ifndef WINDOWKV_ENGINE_REQUEST_GENERATION_REQUEST_H_
#define WINDOWKV_ENGINE_REQUEST_GENERATION_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "engine/base/task.h"
#include "engine/cache_policy/cache_config.h"
#include "engine/sampling/sampling_params.h"

namespace windowkv {

inline constexpr int32_t kMaxPriority = 100;

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

using PromptText = std::string;
using PromptChat = std::vector<ChatMessage>;
using PromptTokens = std::vector<int32_t>;
using Prompt = std::variant<PromptText, PromptChat, PromptTokens>;

// One client call, already converted from the wire. A value, owned by whoever holds it until it is
// moved into Engine::Submit.
struct GenerationRequest {
  std::string request_id;
  Prompt prompt;
  SamplingParams sampling;
  CacheOptions cache;
  std::optional<TaskVerdict> task;  // unset: the engine's default task
  bool echo_kept_ranges = false;
  int32_t priority = 0;  // [-kMaxPriority, kMaxPriority], higher is more urgent
  absl::Time deadline = absl::InfiniteFuture();
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_REQUEST_GENERATION_REQUEST_H_
