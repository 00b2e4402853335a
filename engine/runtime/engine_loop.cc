#include "engine/runtime/engine_loop.h"

#include <utility>

#include "engine/base/monotonic_clock.h"
#include "engine/runtime/request_end.h"

namespace windowkv {

EngineLoop::EngineLoop(const Config& config, std::unique_ptr<ModelRunner> runner,
                       const RequestTokenizer* tokenizer, RequestCounts* counts,
                       EngineMetrics* metrics)
    : config_(config),
      runner_(std::move(runner)),
      tokenizer_(tokenizer),
      counts_(counts),
      metrics_(metrics),
      cache_manager_(runner_->cache_geometry()),
      scheduler_(config.scheduler, &cache_manager_) {
  ReportState();
  thread_ = std::thread([this] { Run(); });
}

EngineLoop::~EngineLoop() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    aborting_ = true;
    stopping_ = true;
  }
  work_cv_.notify_one();
  thread_.join();
}

void EngineLoop::Add(std::unique_ptr<Sequence> sequence) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    inbox_.push_back(std::move(sequence));
  }
  work_cv_.notify_one();
}

void EngineLoop::Abort() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    aborting_ = true;
  }
  work_cv_.notify_one();
}

absl::Duration EngineLoop::heartbeat_age() const {
  const int64_t beat = heartbeat_ns_.load(std::memory_order_relaxed);
  return beat == 0 ? absl::ZeroDuration() : MonotonicNow() - absl::Nanoseconds(beat);
}

void EngineLoop::Run() {
  ModelRunner::PrepareThread(config_.num_threads);
  while (TakeNew()) {
    heartbeat_ns_.store(absl::ToInt64Nanoseconds(MonotonicNow()), std::memory_order_relaxed);
    EndCancelledAndExpired();
    const Batch batch = scheduler_.Next(MonotonicNow());
    if (!batch.empty()) Step(batch);
    ReportState();
  }
}

bool EngineLoop::TakeNew() {
  std::vector<std::unique_ptr<Sequence>> added;
  bool abort = false;
  {
    std::unique_lock<std::mutex> lock(mu_);
    if (scheduler_.idle() && inbox_.empty()) {
      heartbeat_ns_.store(0, std::memory_order_relaxed);
      work_cv_.wait(lock, [this]() { return !inbox_.empty() || stopping_; });
    }
    added.swap(inbox_);
    abort = aborting_;
    if (stopping_ && added.empty() && scheduler_.idle()) return false;
  }
  for (auto& sequence : added) scheduler_.Add(std::move(sequence));
  if (!abort) return true;
  std::vector<const Sequence*> all;
  scheduler_.ForEach([&all](Sequence& sequence) { all.push_back(&sequence); });
  for (const Sequence* sequence : all) {
    Fail(sequence, absl::UnavailableError("the server is shutting down"));
  }
  return true;
}

void EngineLoop::EndCancelledAndExpired() {
  const absl::Duration now = MonotonicNow();
  std::vector<std::pair<const Sequence*, absl::Status>> ended;
  scheduler_.ForEach([&](Sequence& sequence) {
    if (sequence.stream->cancelled()) {
      ended.emplace_back(&sequence, absl::CancelledError("the client cancelled the request"));
    } else if (now >= sequence.deadline) {
      ended.emplace_back(&sequence, absl::DeadlineExceededError("the request's deadline passed"));
    }
  });
  for (const auto& [sequence, status] : ended) Fail(sequence, status);
}

void EngineLoop::Step(const Batch& batch) {
  const absl::Duration start = MonotonicNow();
  int64_t token_layers = 0;
  if (batch.prefill != nullptr) {
    token_layers = static_cast<int64_t>(batch.prefill->prompt.size() * batch.num_slices) *
                   config_.num_layers / static_cast<int64_t>(batch.prefill->slice_costs.size());
  }
  if (!batch.decode.empty()) RunDecode(batch);
  if (batch.prefill != nullptr) RunPrefill(batch);
  metrics_->OnStep(static_cast<int32_t>(batch.decode.size()), token_layers, MonotonicNow() - start);
}

void EngineLoop::RunPrefill(const Batch& batch) {
  Sequence* sequence = batch.prefill;
  if (batch.admitted) {
    counts_->OnAdmitted();
    ReportState();
    sequence->stream->Push(AcceptedEvent{static_cast<int32_t>(sequence->prompt.size()),
                                         sequence->task, sequence->plan.config});
  }
  absl::StatusOr<std::optional<at::Tensor>> logits = runner_->Prefill(batch);
  if (!logits.ok()) return Fail(sequence, logits.status());
  if (!logits->has_value()) {
    const int64_t slices = static_cast<int64_t>(sequence->slice_costs.size());
    const int64_t done = static_cast<int64_t>(sequence->slices_done);
    sequence->stream->Push(ProgressEvent{static_cast<int32_t>(done * config_.num_layers / slices),
                                         config_.num_layers});
    return;
  }
  sequence->receipt = cache_manager_.MakeReceipt(*sequence->cache, sequence->echo_kept_ranges);
  sequence->receipt.task = sequence->task;
  outputs_[sequence] =
      std::make_unique<SequenceOutput>(sequence, tokenizer_, config_.eos_token_ids);
  Advance(sequence, (*logits)->mutable_data_ptr<float>(), static_cast<int32_t>((*logits)->size(1)));
}

void EngineLoop::RunDecode(const Batch& batch) {
  absl::StatusOr<at::Tensor> logits = runner_->Decode(batch);
  if (!logits.ok()) {
    for (const Sequence* sequence : batch.decode) Fail(sequence, logits.status());
    return;
  }
  const int64_t vocab_size = logits->size(1);
  float* rows = logits->mutable_data_ptr<float>();
  for (size_t i = 0; i < batch.decode.size(); ++i) {
    Advance(batch.decode[i], rows + static_cast<int64_t>(i) * vocab_size,
            static_cast<int32_t>(vocab_size));
  }
}

void EngineLoop::Advance(Sequence* sequence, float* logits, int32_t vocab_size) {
  auto end = outputs_[sequence]->Advance(logits, vocab_size);
  if (!end.ok()) return Fail(sequence, end.status());
  const absl::Duration now = MonotonicNow();
  if (sequence->output.size() == 1) {
    sequence->first_token = now;
    metrics_->OnFirstToken(now - sequence->arrival);
  } else {
    metrics_->OnNextToken(now - sequence->last_token);
  }
  sequence->last_token = now;
  if (end->has_value()) Finish(sequence, **std::move(end));
}

void EngineLoop::Finish(Sequence* sequence, SequenceOutput::End end) {
  FinishedEvent event;
  event.reason = end.reason;
  event.matched_stop = std::move(end.matched_stop);
  event.usage = MakeUsage(*sequence);
  event.receipt = sequence->receipt;
  metrics_->OnRequestFinished(MakeRequestEnd(*sequence, event, MonotonicNow() - sequence->arrival));
  outputs_.erase(sequence);
  // Blocks first: who reads the end of a stream may count on them.
  std::shared_ptr<TokenStream> stream = sequence->stream;
  scheduler_.Remove(sequence);
  ReportState();
  counts_->OnEnded(/*was_admitted=*/true);
  stream->Push(std::move(event));
}

void EngineLoop::Fail(const Sequence* sequence, const absl::Status& status) {
  metrics_->OnRequestFailed(status.code());
  outputs_.erase(sequence);
  runner_->Forget(sequence);
  std::shared_ptr<TokenStream> stream = sequence->stream;
  const bool was_admitted = sequence->cache.has_value();
  scheduler_.Remove(sequence);
  ReportState();
  counts_->OnEnded(was_admitted);
  stream->Push(status);
}

void EngineLoop::ReportState() {
  const KvCacheManager::Geometry& geometry = cache_manager_.geometry();
  EngineMetrics::State state;
  state.running = scheduler_.running();
  state.waiting = counts_->waiting();
  state.pool_bytes_total = geometry.num_blocks * geometry.block_bytes;
  state.pool_bytes_used = cache_manager_.allocator().taken() * geometry.block_bytes;
  state.held_bytes = state.pool_bytes_used;
  scheduler_.ForEach([&](Sequence& sequence) {
    if (!sequence.cache) return;
    const size_t tokens = sequence.prompt.size() + sequence.output.size();
    state.full_equivalent_bytes += cache_manager_.FullBytes(static_cast<int32_t>(tokens));
  });
  available_blocks_.store(cache_manager_.allocator().available(), std::memory_order_relaxed);
  metrics_->OnState(state);
}

}  // namespace windowkv
