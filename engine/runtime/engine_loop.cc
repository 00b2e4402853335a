#include "engine/runtime/engine_loop.h"

#include <algorithm>
#include <utility>

#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"
#include "engine/kernels/catch_exceptions.h"
#include "engine/runtime/engine_state.h"
#include "engine/runtime/request_end.h"
#include "engine/sampling/sample_tokens.h"

namespace windowkv {

EngineLoop::EngineLoop(const Config& config, std::unique_ptr<BatchRunner> runner,
                       const RequestTokenizer* tokenizer, RequestQueue* queue,
                       EngineMetrics* metrics)
    : config_(config),
      runner_(std::move(runner)),
      tokenizer_(tokenizer),
      queue_(queue),
      metrics_(metrics),
      cache_manager_(runner_->cache_geometry()),
      scheduler_(config.scheduler, &cache_manager_) {
  ReportState();
  thread_ = std::thread([this] { Run(); });
}

EngineLoop::~EngineLoop() {
  Abort();
  inbox_.Stop();
  thread_.join();
}

void EngineLoop::Abort() { inbox_.Abort(absl::UnavailableError("the server is shutting down")); }

absl::Status EngineLoop::device_status() const {
  std::lock_guard<std::mutex> lock(mu_);
  return device_status_;
}

void EngineLoop::FailWork(const Sequence* sequence, const absl::Status& status) {
  if (!DeviceFailed(status)) Fail(sequence, status);
}

bool EngineLoop::DeviceFailed(const absl::Status& status) {
  if (!runner_->HasFailed()) return false;
  failed_ = true;
  const absl::Status failure = Annotate(status, "the device has failed");
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (device_status_.ok()) device_status_ = failure;
  }
  unread_.reset();  // never known
  inbox_.Abort(failure);
  return true;
}

absl::Duration EngineLoop::heartbeat_age() const {
  const int64_t beat = heartbeat_ns_.load(std::memory_order_relaxed);
  return beat == 0 ? absl::ZeroDuration() : MonotonicNow() - absl::Nanoseconds(beat);
}

void EngineLoop::Beat() {
  heartbeat_ns_.store(absl::ToInt64Nanoseconds(MonotonicNow()), std::memory_order_relaxed);
}

std::vector<std::string> EngineLoop::step_request_ids() const {
  std::lock_guard<std::mutex> lock(mu_);
  return step_ids_;
}

void EngineLoop::Run() {
  runner_->PrepareThread();
  bool has_work = true;
  while (TakeNew(has_work)) {
    Beat();
    EndCancelledAndExpired();
    // Who is put back computes again what has been read, and nothing else.
    if (scheduler_.MayPreempt()) TakeUnread();
    if (failed_) continue;  // what is left ends with the next news
    const Batch batch = scheduler_.Next(MonotonicNow());
    // What is still to be taken may end a sequence and make room for another.
    has_work = !batch.empty() || unread_;
    if (batch.empty()) {
      TakeUnread();
    } else {
      Step(batch);
    }
    ReportState();
  }
}

bool EngineLoop::TakeNew(bool has_work) {
  absl::Duration waits_until = absl::ZeroDuration();
  if (!has_work || scheduler_.idle()) {
    // Sequences may be there and yet have nothing to do: their readers are behind. A reader that
    // catches up or leaves wakes the loop; their deadlines end the wait.
    waits_until = absl::InfiniteDuration();
    scheduler_.ForEach(
        [&](const Sequence& sequence) { waits_until = std::min(waits_until, sequence.deadline); });
    heartbeat_ns_.store(0, std::memory_order_relaxed);
  }
  EngineInbox::News news = inbox_.Take(waits_until);
  if (news.stopping && news.added.empty() && scheduler_.idle()) return false;
  for (auto& sequence : news.added) scheduler_.Add(std::move(sequence));
  if (news.abort.ok()) return true;
  std::vector<const Sequence*> all;
  scheduler_.ForEach([&all](Sequence& sequence) { all.push_back(&sequence); });
  for (const Sequence* sequence : all) Fail(sequence, news.abort);
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
    } else if (scheduler_.CannotMeetDeadline(sequence, now)) {
      metrics_->OnDeadlineUnreachable();
      ended.emplace_back(&sequence, absl::DeadlineExceededError(
                                        "the request's deadline will pass before the prompt can be "
                                        "read"));
    }
  });
  for (const auto& [sequence, status] : ended) Fail(sequence, status);
}

void EngineLoop::NoteStep(const Batch& batch) {
  std::vector<const Sequence*> step(batch.decode.begin(), batch.decode.end());
  for (const PrefillWork& work : batch.prefill) step.push_back(work.sequence);
  if (step == step_) return;
  step_ = std::move(step);
  std::vector<std::string> ids;
  for (const Sequence* sequence : step_) ids.push_back(sequence->request_id);
  std::lock_guard<std::mutex> lock(mu_);
  step_ids_ = std::move(ids);
}

void EngineLoop::Step(const Batch& batch) {
  const absl::Duration start = MonotonicNow();
  NoteStep(batch);
  for (const Sequence* sequence : batch.preempted) {
    runner_->Forget(sequence);
    metrics_->OnPreempted();
  }
  AcceptAdmitted(batch.admitted);
  int64_t token_layers = 0;
  for (const PrefillWork& work : batch.prefill) {
    const Sequence& sequence = *work.sequence;
    token_layers += static_cast<int64_t>(sequence.prompt.size() * work.num_slices) *
                    config_.num_layers / static_cast<int64_t>(sequence.slice_costs.size());
  }
  const int32_t decoded = RunDecode(batch.decode);
  // Tokens do not wait behind a prompt's slices.
  if (!batch.prefill.empty()) TakeUnread();
  if (failed_) return;
  // Whoever is read is not decoded: what ends above leaves the rest of the batch alone.
  for (const PrefillWork& work : batch.prefill) RunPrefill(work);
  metrics_->OnStep(decoded, token_layers, MonotonicNow() - start);
}

void EngineLoop::AcceptAdmitted(std::vector<Sequence*> admitted) {
  // What was preempted has been accepted before.
  std::erase_if(admitted, [](const Sequence* sequence) { return sequence->preemptions > 0; });
  if (admitted.empty()) return;
  for (const Sequence* sequence : admitted) queue_->OnAdmitted(sequence->queued_bytes);
  // State first: who reads `accepted` may count on it.
  ReportState();
  for (Sequence* sequence : admitted) {
    sequence->stream->Push(AcceptedEvent{static_cast<int32_t>(sequence->prompt.size()),
                                         sequence->task, sequence->plan.config});
  }
}

void EngineLoop::RunPrefill(const PrefillWork& work) {
  Sequence* sequence = work.sequence;
  const absl::Duration start = MonotonicNow();
  absl::StatusOr<std::optional<at::Tensor>> logits = runner_->Prefill(work);
  Beat();
  if (!logits.ok()) return FailWork(sequence, logits.status());
  int64_t cost = 0;
  for (size_t i = 0; i < work.num_slices; ++i)
    cost += sequence->slice_costs[sequence->slices_done++];
  scheduler_.costs().OnPrefill(cost, MonotonicNow() - start);
  if (!logits->has_value()) {
    if (sequence->preemptions > 0) return;  // its reader has seen more progress than that
    const auto slices = static_cast<int64_t>(sequence->slice_costs.size());
    const auto done = static_cast<int64_t>(sequence->slices_done);
    sequence->stream->Push(ProgressEvent{static_cast<int32_t>(done * config_.num_layers / slices),
                                         config_.num_layers});
    return;
  }
  sequence->receipt = cache_manager_.MakeReceipt(*sequence->cache, sequence->echo_kept_ranges);
  sequence->receipt.task = sequence->task;
  if (sequence->replaying()) return;
  outputs_[sequence] =
      std::make_unique<SequenceOutput>(sequence, tokenizer_, config_.eos_token_ids);
  StartTokensOf({sequence}, **logits, std::nullopt);
  TakeUnread();
}

// The step is started before the tokens of the one before it are read, so that the device goes from
// one to the next without waiting for this thread.
int32_t EngineLoop::RunDecode(std::vector<Sequence*> batch) {
  // Whose unread token is the last has no place for another one in its cache.
  std::erase_if(batch, [](const Sequence* sequence) {
    const auto max_tokens = static_cast<size_t>(sequence->sampling.max_tokens);
    return sequence->next_token_unread() && sequence->decoded + 1 >= max_tokens;
  });
  const bool must_read = std::ranges::any_of(batch, [this](const Sequence* sequence) {
    return sequence->next_token_unread() && outputs_[sequence]->sampler().needs_last_token();
  });
  const auto has_ended = [this](const Sequence* sequence) { return !outputs_.contains(sequence); };
  if (must_read || batch.empty()) TakeUnread();
  std::erase_if(batch, has_ended);
  if (batch.empty() || failed_) return 0;
  std::optional<UnreadStep> before = std::exchange(unread_, std::nullopt);
  const absl::Status started = StartDecode(batch, before);
  if (before) Take(*std::move(before));
  if (unread_ && (!runner_->computes_ahead() || unread_->failed())) TakeUnread();
  if (!started.ok() && !DeviceFailed(started)) {
    // One of them may be at fault; the others must not pay for it.
    std::erase_if(batch, has_ended);
    for (Sequence* sequence : batch) DecodeAlone(sequence);
  }
  return static_cast<int32_t>(batch.size());
}

absl::Status EngineLoop::StartDecode(const std::vector<Sequence*>& batch,
                                     const std::optional<UnreadStep>& unread) {
  const absl::Duration start = MonotonicNow();
  absl::StatusOr<at::Tensor> logits =
      runner_->Decode(batch, unread ? unread->TokensOf(batch) : UnreadTokens());
  Beat();
  WINDOWKV_RETURN_IF_ERROR(logits.status());
  for (Sequence* sequence : batch) ++sequence->decoded;
  StartTokensOf(batch, *logits, start);
  return absl::OkStatus();
}

void EngineLoop::DecodeAlone(Sequence* sequence) {
  absl::StatusOr<at::Tensor> logits = runner_->Decode({sequence}, {});
  Beat();
  if (!logits.ok()) return FailWork(sequence, logits.status());
  ++sequence->decoded;
  StartTokensOf({sequence}, *logits, std::nullopt);
  TakeUnread();
}

void EngineLoop::StartTokensOf(const std::vector<Sequence*>& sequences, at::Tensor& logits,
                               std::optional<absl::Duration> decode_started) {
  std::vector<Sequence*> sampled;
  std::vector<SampledRow> rows;
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i]->replaying()) continue;
    sampled.push_back(sequences[i]);
    rows.push_back({static_cast<int32_t>(i), &outputs_[sequences[i]]->sampler()});
  }
  if (sampled.empty()) return;
  absl::StatusOr<StartedTokens> tokens = absl::UnknownError("not started");
  const absl::Status status = CatchExceptions([&] { tokens = StartTokens(rows, logits); });
  if (!status.ok()) tokens = status;
  unread_.emplace(std::move(sampled), std::move(tokens), decode_started);
}

void EngineLoop::TakeUnread() {
  if (std::optional<UnreadStep> step = std::exchange(unread_, std::nullopt)) {
    Take(*std::move(step));
  }
}

void EngineLoop::Take(UnreadStep step) {
  const absl::Status status = step.Wait();
  Beat();
  if (!status.ok() && DeviceFailed(status)) return;
  for (size_t i = 0; i < step.sequences().size(); ++i) {
    Sequence* sequence = step.sequences()[i];
    if (sequence == nullptr) continue;
    const absl::StatusOr<SampledToken> token =
        status.ok() ? step.Take(i, outputs_[sequence]->sampler()) : status;
    if (token.ok()) {
      Advance(sequence, *token);
    } else {
      Fail(sequence, token.status());
    }
  }
  // A step that was started while the one before ran did not run until then.
  const absl::Duration now = MonotonicNow();
  if (step.decode_started()) {
    scheduler_.costs().OnDecode(now - std::max(*step.decode_started(), last_take_));
  }
  last_take_ = now;
}

// A step that is still being computed may write to the sequence's blocks after they have been
// freed: whoever gets them next writes later on the same stream.
void EngineLoop::ForgetOutput(const Sequence* sequence) {
  outputs_.erase(sequence);
  step_.clear();
  if (!unread_) return;
  unread_->Drop(sequence);
  if (unread_->empty()) unread_.reset();
}

void EngineLoop::Advance(Sequence* sequence, const SampledToken& token) {
  std::optional<SequenceOutput::End> end = outputs_[sequence]->Advance(token);
  const absl::Duration now = MonotonicNow();
  if (sequence->output.size() == 1) {
    sequence->first_token = now;
    queue_->OnRead(now);
    metrics_->OnFirstToken(now - sequence->arrival);
  } else {
    metrics_->OnNextToken(now - sequence->last_token);
  }
  sequence->last_token = now;
  if (end) Finish(sequence, *std::move(end));
}

void EngineLoop::Finish(Sequence* sequence, SequenceOutput::End end) {
  FinishedEvent event;
  event.reason = end.reason;
  event.matched_stop = std::move(end.matched_stop);
  event.usage = MakeUsage(*sequence);
  event.receipt = sequence->receipt;
  metrics_->OnRequestFinished(MakeRequestEnd(*sequence, event, MonotonicNow() - sequence->arrival));
  ForgetOutput(sequence);
  // Blocks first: who reads the end of a stream may count on them.
  std::shared_ptr<TokenStream> stream = sequence->stream;
  scheduler_.Remove(sequence);
  ReportState();
  queue_->OnEnded(RequestQueue::Stage::kRead, /*bytes=*/0);
  stream->Push(std::move(event));
}

void EngineLoop::Fail(const Sequence* sequence, const absl::Status& status) {
  metrics_->OnRequestFailed(status.code());
  ForgetOutput(sequence);
  runner_->Forget(sequence);
  std::shared_ptr<TokenStream> stream = sequence->stream;
  const bool was_admitted = sequence->cache.has_value() || sequence->preemptions > 0;
  const RequestQueue::Stage stage = !was_admitted              ? RequestQueue::Stage::kWaiting
                                    : sequence->output.empty() ? RequestQueue::Stage::kUnread
                                                               : RequestQueue::Stage::kRead;
  const int64_t bytes = sequence->queued_bytes;
  scheduler_.Remove(sequence);
  ReportState();
  queue_->OnEnded(stage, bytes);
  stream->Push(status);
}

void EngineLoop::ReportState() {
  available_blocks_.store(cache_manager_.allocator().available(), std::memory_order_relaxed);
  EngineMetrics::State state = MakeEngineState(scheduler_, cache_manager_, queue_->waiting());
  state.device_memory_bytes = runner_->device_memory_bytes();
  metrics_->OnState(state);
}

}  // namespace windowkv
