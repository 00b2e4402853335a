#ifndef WINDOWKV_ENGINE_RUNTIME_ENGINE_LOOP_H_
#define WINDOWKV_ENGINE_RUNTIME_ENGINE_LOOP_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/engine_metrics.h"
#include "engine/base/thread_annotations.h"
#include "engine/kv_cache/kv_cache_manager.h"
#include "engine/request/sequence.h"
#include "engine/runtime/batch_runner.h"
#include "engine/runtime/engine_inbox.h"
#include "engine/runtime/request_queue.h"
#include "engine/runtime/request_tokenizer.h"
#include "engine/runtime/sequence_output.h"
#include "engine/runtime/unread_step.h"
#include "engine/scheduler/scheduler.h"

namespace windowkv {

// The engine thread: owns scheduler, cache manager and runner, and repeats: take new sequences, end
// cancelled and expired ones, run one batch, push what came of it. On a device that computes ahead
// a decode step's tokens are read, and pushed, when the next step has been started. Add, Wake,
// Abort and the observers are for any thread; everything else happens on its own.
class EngineLoop {
 public:
  struct Config {
    Scheduler::Config scheduler;
    std::vector<int32_t> eos_token_ids;
    int32_t num_layers = 0;
  };

  // `tokenizer`, `queue` and `metrics` outlive this. Starts the thread.
  EngineLoop(const Config& config, std::unique_ptr<BatchRunner> runner,
             const RequestTokenizer* tokenizer, RequestQueue* queue, EngineMetrics* metrics);
  // Ends what is left with UNAVAILABLE and joins the thread.
  ~EngineLoop();

  void Add(std::unique_ptr<Sequence> sequence) { inbox_.Add(std::move(sequence)); }
  // A stream was cancelled, or its reader has caught up.
  void Wake() { inbox_.Wake(); }
  // Ends every sequence, those added from now on too, with UNAVAILABLE.
  void Abort();

  // What a request will take; the plan depends on constants only, so any thread may ask.
  absl::StatusOr<CachePlan> Plan(const CacheConfig& config, int32_t prompt_tokens,
                                 int32_t max_tokens) const {
    return cache_manager_.Plan(config, prompt_tokens, max_tokens);
  }
  std::vector<int64_t> SliceCosts(const CachePlan& plan) const { return runner_->SliceCosts(plan); }

  int64_t available_blocks() const { return available_blocks_.load(std::memory_order_relaxed); }
  absl::Duration heartbeat_age() const;
  // OK, or what the device failed with for good: requests end with it from then on.
  absl::Status device_status() const;
  // Of the step under way, or the last one.
  std::vector<std::string> step_request_ids() const;

 private:
  void Run();
  // Waits while there is nothing to do. False when the loop is to stop.
  bool TakeNew(bool has_work);
  void EndCancelledAndExpired();
  void NoteStep(const Batch& batch);
  void Step(const Batch& batch);
  void AcceptAdmitted(std::vector<Sequence*> admitted);
  void RunPrefill(const PrefillWork& work);
  // Returns how many of them were decoded: not those that have ended or are about to.
  int32_t RunDecode(std::vector<Sequence*> batch);
  // Starts a step of sequences whose tokens are known, or among `unread`.
  absl::Status StartDecode(const std::vector<Sequence*>& batch,
                           const std::optional<UnreadStep>& unread);
  void DecodeAlone(Sequence* sequence);
  // Starts choosing a token of `logits` for each sequence but those that are replayed: unread_,
  // which is empty before.
  void StartTokensOf(const std::vector<Sequence*>& sequences, at::Tensor& logits,
                     std::optional<absl::Duration> decode_started);
  // Waits for the tokens of unread_, if there are any, and hands them out.
  void TakeUnread();
  void Take(UnreadStep step);
  // Its output and its unread token go, as it ends.
  void ForgetOutput(const Sequence* sequence);
  void Advance(Sequence* sequence, const SampledToken& token);
  void Finish(Sequence* sequence, SequenceOutput::End end);
  void Fail(const Sequence* sequence, const absl::Status& status);
  // The runner's work for one sequence failed: it ends alone, or, without the device, all do.
  void FailWork(const Sequence* sequence, const absl::Status& status);
  // Of work that ended with `status`: true when that is for good, and the next step ends every
  // request.
  bool DeviceFailed(const absl::Status& status);
  void ReportState();
  void Beat();

  const Config config_;
  std::unique_ptr<BatchRunner> runner_;
  const RequestTokenizer* tokenizer_;
  RequestQueue* queue_;
  EngineMetrics* metrics_;
  KvCacheManager cache_manager_;
  Scheduler scheduler_;
  std::unordered_map<const Sequence*, std::unique_ptr<SequenceOutput>> outputs_;
  // The step that was started last, until its tokens are taken; on a device that computes ahead,
  // after the next step has been started.
  std::optional<UnreadStep> unread_;
  absl::Duration last_take_;  // MonotonicNow() when tokens were last handed out
  bool failed_ = false;       // the device has: nothing is started on it any more
  // Whose ids step_ids_ has; none after one of them has ended.
  std::vector<const Sequence*> step_;

  EngineInbox inbox_;

  mutable std::mutex mu_;
  absl::Status device_status_ WINDOWKV_GUARDED_BY(mu_);  // not OK: the device has failed
  std::vector<std::string> step_ids_ WINDOWKV_GUARDED_BY(mu_);

  std::atomic<int64_t> available_blocks_{0};
  std::atomic<int64_t> heartbeat_ns_{0};  // MonotonicNow(); 0 while there is nothing to do
  std::thread thread_;                    // last: starts when everything else is there
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_ENGINE_LOOP_H_
