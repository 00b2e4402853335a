#ifndef WINDOWKV_CLIENT_CANCELLATION_H_
#define WINDOWKV_CLIENT_CANCELLATION_H_

#include <grpcpp/client_context.h>

#include <functional>
#include <mutex>
#include <unordered_set>
#include <utility>

namespace windowkv::client {

class CancellationScope;

// Cancels running calls from another thread, such as one that waits for SIGINT. Owned by the
// caller of the client; outlives every call it is given to. Thread-safe, but not for use in a
// signal handler.
class Cancellation {
 public:
  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  // Cancels every call that runs now and every one that starts later.
  void Cancel();
  bool cancelled() const;

 private:
  friend class CancellationScope;
  void Add(const CancellationScope* scope);
  void Remove(const CancellationScope* scope);

  mutable std::mutex mu_;
  bool cancelled_ = false;                               // guarded by mu_
  std::unordered_set<const CancellationScope*> scopes_;  // guarded by mu_; not owned
};

// Puts one call, or whatever else must hear of it, under a Cancellation while the scope lives.
// `cancellation` may be null.
class CancellationScope {
 public:
  CancellationScope(Cancellation* cancellation, grpc::ClientContext* context)
      : CancellationScope(cancellation, [context] { context->TryCancel(); }) {}
  // `on_cancel` runs on the thread that cancels, or here when that has happened. It must not use
  // the Cancellation.
  CancellationScope(Cancellation* cancellation, std::function<void()> on_cancel)
      : cancellation_(cancellation), on_cancel_(std::move(on_cancel)) {
    if (cancellation_ != nullptr) cancellation_->Add(this);
  }
  ~CancellationScope() {
    if (cancellation_ != nullptr) cancellation_->Remove(this);
  }
  CancellationScope(const CancellationScope&) = delete;
  CancellationScope& operator=(const CancellationScope&) = delete;

 private:
  friend class Cancellation;

  Cancellation* const cancellation_;
  const std::function<void()> on_cancel_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_CANCELLATION_H_
