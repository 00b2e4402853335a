#include "client/load/load_run.h"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <queue>
#include <unordered_map>
#include <utility>

#include "client/load/request_record.h"

namespace windowkv::client {
namespace {

class LoadRun;

// A request on its way. Owned by its run, which forgets it when the call has ended.
class InFlight final : public GenerateObserver {
 public:
  InFlight(LoadRun* run, int64_t index, const RequestRecord& record)
      : run_(*run), index_(index), record_(record) {}

  void OnMessage(const v1::GenerateResponse& message) override;
  void OnDone(const absl::Status& status) override;

  // Ends the call, unless it has ended. Under the run's lock.
  void Cancel() {
    cancelled_ = true;
    cancellation_.Cancel();
  }
  // Whether the call ended because the run cancelled it.
  bool cancelled() const { return cancelled_ && absl::IsCancelled(record_.status()); }
  Cancellation* cancellation() { return &cancellation_; }
  const RequestRecord& record() const { return record_; }

 private:
  LoadRun& run_;
  const int64_t index_;
  Cancellation cancellation_;
  bool cancelled_ = false;  // guarded by the run's lock
  RequestRecord record_;    // of the call's own thread until it has ended
};

// One plan while it runs: a thread that sends, and gRPC's threads, which report what comes back.
// Times inside are since the start.
class LoadRun {
 public:
  LoadRun(const std::vector<std::unique_ptr<Client>>& clients, const LoadRequests& requests,
          const LoadPlan& plan, LoadClock* clock, const ProgressReports& progress)
      : clients_(clients),
        requests_(requests),
        plan_(plan),
        clock_(*clock),
        progress_(progress),
        arrivals_(plan.arrivals),
        start_(clock->Now()) {}

  LoadResult Run(Cancellation* interrupt) {
    const CancellationScope scope(interrupt, [this] { Interrupt(); });
    std::unique_lock lock(mu_);
    while (!interrupted_ && (MaySendMore() || !in_flight_.empty())) Step(&lock);
    for (const auto& [index, request] : in_flight_) request->Cancel();
    while (!in_flight_.empty()) {
      clock_.WaitUntil(absl::InfiniteDuration(), &changed_, &lock);
    }
    result_.interrupted = interrupted_;
    result_.wall = Elapsed();
    return std::move(result_);
  }

  absl::Duration Elapsed() { return clock_.Now() - start_; }

  void OnDone(int64_t index) {
    std::unique_ptr<InFlight> ended;  // the caller; deleted when the lock has been released
    std::lock_guard lock(mu_);
    const auto found = in_flight_.find(index);
    ended = std::move(found->second);
    in_flight_.erase(found);
    if (ended->cancelled()) {
      result_.AddCancelled(ended->record());
    } else {
      result_.AddEnded(ended->record(), plan_.limits);
    }
    changed_.notify_one();
  }

 private:
  // A request that is ready before it is due, so that making it delays none.
  struct Next {
    LoadRequest load;
    absl::Duration due;
  };
  // When to cancel which request.
  using PlannedCancel = std::pair<absl::Duration, int64_t>;

  void Interrupt() {
    std::lock_guard lock(mu_);
    interrupted_ = true;
    changed_.notify_one();
  }

  // Does what is due, or waits until something may be.
  void Step(std::unique_lock<std::mutex>* lock) {
    if (MaySendMore() && !next_) return MakeNext(lock);
    const absl::Duration now = Elapsed();
    CancelUntil(now);
    if (now >= next_report_) return Report(now, lock);
    absl::Duration wake = std::min(next_report_, NextCancel());
    if (MaySendMore()) {
      const absl::Duration due = NextDue(now);
      if (due <= now) return Send(due, now, lock);
      wake = std::min(wake, due);
    }
    clock_.WaitUntil(start_ + wake, &changed_, lock);
  }

  // In an open loop what is due within the duration is sent, even if that is late.
  bool MaySendMore() {
    if (result_.sent >= plan_.requests) return false;
    if (arrivals_) return !next_ || next_->due < plan_.duration;
    return Elapsed() < plan_.duration;
  }

  void MakeNext(std::unique_lock<std::mutex>* lock) {
    const int64_t index = result_.sent;
    const absl::Duration due = arrivals_ ? arrivals_->Next() : absl::ZeroDuration();
    lock->unlock();
    Next next{.load = requests_.Make(index), .due = due};
    lock->lock();
    next_ = std::move(next);
  }

  // In a closed loop a request is due when there is room for it.
  absl::Duration NextDue(absl::Duration now) const {
    if (arrivals_) return next_->due;
    return in_flight_.size() < static_cast<size_t>(plan_.concurrency) ? now
                                                                      : absl::InfiniteDuration();
  }

  void Send(absl::Duration due, absl::Duration now, std::unique_lock<std::mutex>* lock) {
    const LoadRequest load = std::move(next_->load);
    next_.reset();
    const int64_t index = result_.sent++;
    auto request = std::make_unique<InFlight>(this, index, RequestRecord(due, now));
    InFlight* const observer = request.get();
    in_flight_[index] = std::move(request);
    result_.peak_in_flight =
        std::max(result_.peak_in_flight, static_cast<int64_t>(in_flight_.size()));
    if (load.cancel_after) cancels_.emplace(now + *load.cancel_after, index);
    lock->unlock();
    clients_[static_cast<size_t>(index) % clients_.size()]->StartGenerate(
        load.request,
        {.timeout = plan_.timeout,
         .cancellation = observer->cancellation(),
         .traceparent = plan_.traceparent},
        observer);
    lock->lock();
  }

  absl::Duration NextCancel() const {
    return cancels_.empty() ? absl::InfiniteDuration() : cancels_.top().first;
  }

  void CancelUntil(absl::Duration now) {
    for (; NextCancel() <= now; cancels_.pop()) {
      const auto found = in_flight_.find(cancels_.top().second);
      if (found != in_flight_.end()) found->second->Cancel();
    }
  }

  void Report(absl::Duration now, std::unique_lock<std::mutex>* lock) {
    next_report_ = now + progress_.interval;
    const LoadProgress progress{.sent = result_.sent,
                                .completed = result_.completed,
                                .failed = result_.failed(),
                                .in_flight = static_cast<int64_t>(in_flight_.size()),
                                .elapsed = now};
    lock->unlock();
    progress_.report(progress);
    lock->lock();
  }

  // Constant after construction; not owned.
  const std::vector<std::unique_ptr<Client>>& clients_;
  const LoadRequests& requests_;
  const LoadPlan& plan_;
  LoadClock& clock_;
  const ProgressReports& progress_;

  // Of the sending thread alone.
  std::optional<ArrivalProcess> arrivals_;
  std::optional<Next> next_;
  std::priority_queue<PlannedCancel, std::vector<PlannedCancel>, std::greater<>> cancels_;

  const absl::Duration start_;
  absl::Duration next_report_ = progress_.interval;

  std::mutex mu_;
  std::condition_variable changed_;
  bool interrupted_ = false;                                          // guarded by mu_
  std::unordered_map<int64_t, std::unique_ptr<InFlight>> in_flight_;  // guarded by mu_
  LoadResult result_;                                                 // guarded by mu_
};

void InFlight::OnMessage(const v1::GenerateResponse& message) {
  record_.OnMessage(run_.Elapsed(), message);
}

void InFlight::OnDone(const absl::Status& status) {
  record_.OnDone(run_.Elapsed(), status);
  run_.OnDone(index_);
}

}  // namespace

LoadResult RunLoad(const std::vector<std::unique_ptr<Client>>& clients,
                   const LoadRequests& requests, const LoadPlan& plan, LoadClock* clock,
                   Cancellation* interrupt, const ProgressReports& progress) {
  return LoadRun(clients, requests, plan, clock, progress).Run(interrupt);
}

}  // namespace windowkv::client
