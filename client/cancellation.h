#ifndef WINDOWKV_CLIENT_CANCELLATION_H_
#define WINDOWKV_CLIENT_CANCELLATION_H_

#include <grpcpp/client_context.h>

#include <mutex>
#include <unordered_set>

namespace windowkv::client {

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
  void Add(grpc::ClientContext* context);
  void Remove(grpc::ClientContext* context);

  mutable std::mutex mu_;
  bool cancelled_ = false;                            // guarded by mu_
  std::unordered_set<grpc::ClientContext*> running_;  // guarded by mu_; not owned
};

// Puts one call under a Cancellation while the scope lives. `cancellation` may be null.
class CancellationScope {
 public:
  CancellationScope(Cancellation* cancellation, grpc::ClientContext* context)
      : cancellation_(cancellation), context_(context) {
    if (cancellation_ != nullptr) cancellation_->Add(context_);
  }
  ~CancellationScope() {
    if (cancellation_ != nullptr) cancellation_->Remove(context_);
  }
  CancellationScope(const CancellationScope&) = delete;
  CancellationScope& operator=(const CancellationScope&) = delete;

 private:
  Cancellation* const cancellation_;
  grpc::ClientContext* const context_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_CANCELLATION_H_
