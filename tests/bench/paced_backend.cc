#include "tests/bench/paced_backend.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/monotonic_clock.h"

namespace windowkv::bench {

// Deletes itself in OnDone. Its writes are guarded by the backend's mutex.
class PacedBackend::Stream final : public grpc::ServerWriteReactor<v1::GenerateResponse> {
 public:
  Stream(PacedBackend* backend, bool idle) : backend_(backend), idle_(idle) {
    if (idle_) return;
    message_.mutable_accepted();
    writing_ = true;
    StartWrite(&message_);
  }

  void WriteLocked() {
    if (idle_ || writing_ || ended_) return;
    message_.mutable_chunk()->set_text(StampText());
    writing_ = true;
    StartWrite(&message_);
  }

 private:
  void OnWriteDone(bool ok) override {
    std::lock_guard lock(backend_->mu_);
    writing_ = false;
    if (!ok) EndLocked();
  }
  void OnCancel() override {
    std::lock_guard lock(backend_->mu_);
    if (!writing_) EndLocked();
  }
  void OnDone() override {
    backend_->Remove(this);
    delete this;
  }
  void EndLocked() {
    if (ended_) return;
    ended_ = true;
    Finish(grpc::Status::CANCELLED);
  }

  PacedBackend* const backend_;
  const bool idle_;
  v1::GenerateResponse message_;
  bool writing_ = false;
  bool ended_ = false;
};

PacedBackend::PacedBackend(absl::Duration interval) : interval_(interval) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  target_ = absl::StrCat("127.0.0.1:", port);
  pacer_ = std::thread([this] { Pace(); });
}

PacedBackend::~PacedBackend() {
  server_->Shutdown(std::chrono::system_clock::now());
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
  }
  changed_.notify_all();
  pacer_.join();
}

void PacedBackend::WaitForStreams(size_t count) {
  std::unique_lock lock(mu_);
  changed_.wait(lock, [&] { return streams_.size() == count; });
}

// Spreads the streams' writes evenly over the interval.
void PacedBackend::Pace() {
  auto next = std::chrono::steady_clock::now();
  std::unique_lock lock(mu_);
  while (!stopping_) {
    const std::vector<Stream*> round(streams_.begin(), streams_.end());
    const auto pause = absl::ToChronoNanoseconds(interval_) / std::max<size_t>(round.size(), 1);
    if (round.empty()) next = std::chrono::steady_clock::now() + pause;
    for (Stream* stream : round) {
      if (streams_.count(stream) > 0) stream->WriteLocked();
      next += pause;
      if (changed_.wait_until(lock, next, [this] { return stopping_; })) return;
    }
    if (round.empty()) changed_.wait_until(lock, next, [this] { return stopping_; });
  }
}

void PacedBackend::Remove(Stream* stream) {
  std::lock_guard lock(mu_);
  streams_.erase(stream);
  changed_.notify_all();
}

grpc::ServerWriteReactor<v1::GenerateResponse>* PacedBackend::Generate(
    grpc::CallbackServerContext*, const v1::GenerateRequest* request) {
  std::lock_guard lock(mu_);
  auto* stream = new Stream(this, request->text() == "idle");
  streams_.insert(stream);
  changed_.notify_all();
  return stream;
}

grpc::ServerUnaryReactor* PacedBackend::GetLoad(grpc::CallbackServerContext* context,
                                                const v1::GetLoadRequest*, v1::Load* response) {
  response->set_free_kv_blocks(1 << 20);
  response->set_total_kv_blocks(1 << 20);
  response->set_accepting(true);
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

std::string StampText() { return absl::StrCat(absl::ToInt64Nanoseconds(MonotonicNow())); }

absl::Duration AgeOf(const std::string& stamp) {
  int64_t nanoseconds = 0;
  if (!absl::SimpleAtoi(stamp, &nanoseconds)) return absl::InfiniteDuration();
  return MonotonicNow() - absl::Nanoseconds(nanoseconds);
}

}  // namespace windowkv::bench
