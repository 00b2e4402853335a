#ifndef WINDOWKV_TESTS_TESTING_FAKE_ENGINE_H_
#define WINDOWKV_TESTS_TESTING_FAKE_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/thread_annotations.h"
#include "engine/runtime/engine.h"

namespace windowkv::testing {

// An Engine whose answers the test writes. Unless told otherwise it gives each request the events
// of ShortAnswer() at once. Set the functions before the first call; the rest is thread-safe.
class FakeEngine final : public Engine {
 public:
  using StreamOrStatus = absl::StatusOr<std::shared_ptr<TokenStream>>;

  FakeEngine();

  std::function<StreamOrStatus(const GenerationRequest&)> on_submit;
  std::function<void(absl::Duration)> on_drain;
  std::function<void()> on_tokenize;
  ModelInfo info;

  // What Submit was given, in order.
  std::vector<GenerationRequest> requests() const;
  void SetHeartbeatAge(absl::Duration age);
  void SetDeviceStatus(absl::Status status);

  StreamOrStatus Submit(GenerationRequest request) override;
  // One token per byte, its id the byte. FAILED_PRECONDITION for chat messages.
  absl::StatusOr<std::vector<int32_t>> Tokenize(
      const std::variant<PromptText, PromptChat>& prompt) const override;
  std::string TokenText(int32_t token_id) const override;
  const ModelInfo& model_info() const override { return info; }
  EngineLoad load() const override;
  absl::Duration heartbeat_age() const override;
  absl::Status device_status() const override;
  // "stuck-1" and "stuck-2".
  std::vector<std::string> step_request_ids() const override;
  void Drain(absl::Duration timeout) override;

 private:
  mutable std::mutex mu_;
  std::vector<GenerationRequest> requests_ WINDOWKV_GUARDED_BY(mu_);
  absl::Duration heartbeat_age_ WINDOWKV_GUARDED_BY(mu_);
  absl::Status device_status_ WINDOWKV_GUARDED_BY(mu_);
  bool draining_ WINDOWKV_GUARDED_BY(mu_) = false;
};

// A well-formed stream: accepted, progress, the chunks "Hello" and ", world", finished.
std::vector<StreamEvent> ShortAnswer();

// A stream on which these events wait.
std::shared_ptr<TokenStream> StreamOf(std::vector<StreamEvent> events);

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_TESTING_FAKE_ENGINE_H_
