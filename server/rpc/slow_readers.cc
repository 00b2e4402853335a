#include "server/rpc/slow_readers.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/monotonic_clock.h"
#include "grpc/grpc.h"

namespace windowkv {
namespace {

// Looks at the calls in a timeout, so a slow one is found this share of it late at most.
constexpr int kChecksPerTimeout = 8;

}  // namespace

void SlowReaders::Call::WriteBegins() {
  write_began_ns_ = absl::ToInt64Nanoseconds(MonotonicNow());
}

SlowReaders::SlowReaders(absl::Duration timeout, std::function<void()> on_slow_reader)
    : timeout_(timeout), on_slow_reader_(std::move(on_slow_reader)) {
  if (timeout_ < absl::InfiniteDuration()) thread_ = std::thread([this] { Run(); });
}

SlowReaders::~SlowReaders() {
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SlowReaders::Add(Call* call) {
  std::lock_guard lock(mu_);
  calls_.insert(call);
  if (calls_.size() == 1) changed_.notify_all();
}

void SlowReaders::Remove(Call* call) {
  std::lock_guard lock(mu_);
  calls_.erase(call);
}

void SlowReaders::Run() {
  const auto interval =
      absl::ToChronoNanoseconds(std::max(timeout_ / kChecksPerTimeout, absl::Milliseconds(1)));
  std::unique_lock lock(mu_);
  while (!stopping_) {
    if (calls_.empty()) {
      changed_.wait(lock, [this] { return stopping_ || !calls_.empty(); });
    }
    changed_.wait_for(lock, interval, [this] { return stopping_; });
    const absl::Duration now = MonotonicNow();
    for (Call* call : calls_) Check(call, now);
  }
}

void SlowReaders::Check(Call* call, absl::Duration now) const {
  const int64_t began = call->write_began_ns_;
  if (began == Call::kNoWrite) return;
  const absl::Duration taken = now - absl::Nanoseconds(began);
  if (!call->given_up_ && taken >= timeout_) {
    call->given_up_ = true;
    call->GiveUp();
    on_slow_reader_();
  } else if (call->given_up_ && taken >= 2 * timeout_) {
    call->Cut();
  }
}

absl::Status SlowReaders::Error() const {
  return absl::ResourceExhaustedError(
      absl::StrCat("the client took no message for ", absl::FormatDuration(timeout_)));
}

void SlowReaders::CutOff(grpc::CallbackServerContext* context) const {
  const absl::Status error = Error();
  grpc_call_cancel_with_status(context->c_call(), static_cast<grpc_status_code>(error.code()),
                               std::string(error.message()).c_str(), nullptr);
}

}  // namespace windowkv
