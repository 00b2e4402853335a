#include "server/router/load_poller.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "grpcpp/client_context.h"

namespace windowkv {

// One GetLoad call under way.
struct LoadPoller::Poll {
  Backend* backend;
  int64_t number = 0;  // in the order in which they were started
  uint64_t opened_before;
  grpc::ClientContext context;
  v1::GetLoadRequest request;
  v1::Load load;
};

LoadPoller::LoadPoller(BackendPool* pool, Options options) : pool_(pool), options_(options) {
  if (options_.interval < absl::InfiniteDuration()) thread_ = std::thread([this] { Run(); });
}

LoadPoller::~LoadPoller() {
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::unique_lock lock(mu_);
  for (Poll* poll : polls_) poll->context.TryCancel();
  changed_.wait(lock, [this] { return polls_.empty(); });
}

void LoadPoller::PollNow() {
  StartRound();
  std::unique_lock lock(mu_);
  // Not for later ones: with some backends down, somebody is always being asked.
  changed_.wait(lock, [this, started = started_] {
    return std::none_of(polls_.begin(), polls_.end(),
                        [=](const Poll* poll) { return poll->number < started; });
  });
}

void LoadPoller::Run() {
  const auto interval = absl::ToChronoMicroseconds(options_.interval);
  while (true) {
    StartRound();
    std::unique_lock lock(mu_);
    if (changed_.wait_for(lock, interval, [this] { return stopping_; })) return;
  }
}

void LoadPoller::StartRound() {
  for (const auto& backend : pool_->backends()) Start(backend.get());
}

void LoadPoller::Start(Backend* backend) {
  auto owned = std::make_unique<Poll>();
  owned->backend = backend;
  owned->opened_before = backend->opened();
  owned->context.set_deadline(std::chrono::system_clock::now() +
                              absl::ToChronoMicroseconds(options_.timeout));
  // A backend that is down is heard of the moment it can be connected to; any
  // other that does not listen is reported down at once.
  owned->context.set_wait_for_ready(backend->known_down());
  {
    std::lock_guard lock(mu_);
    const bool asked = std::any_of(polls_.begin(), polls_.end(),
                                   [=](const Poll* poll) { return poll->backend == backend; });
    if (asked || stopping_) return;
    owned->number = started_++;
    polls_.insert(owned.get());
  }
  Poll* poll = owned.release();  // deleted in OnDone
  backend->stub().async()->GetLoad(
      &poll->context, &poll->request, &poll->load,
      [this, poll](const grpc::Status& status) { OnDone(poll, status); });
}

void LoadPoller::OnDone(Poll* poll, const grpc::Status& status) {
  std::lock_guard lock(mu_);
  // A poll that the destructor cancelled says nothing of its backend.
  if (status.ok()) {
    poll->backend->OnLoadReport(poll->load, poll->opened_before);
  } else if (!stopping_) {
    poll->backend->OnUnreachable(status.error_message());
  }
  polls_.erase(poll);
  // The context holds the channel, which gRPC does not allow to end on a thread of its own: it must
  // be gone before the pool may be.
  delete poll;
  changed_.notify_all();  // with mu_ held: the poller may be gone once it is free
}

}  // namespace windowkv
