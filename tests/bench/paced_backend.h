#ifndef WINDOWKV_TESTS_BENCH_PACED_BACKEND_H_
#define WINDOWKV_TESTS_BENCH_PACED_BACKEND_H_

#include <grpcpp/server.h>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "windowkv/v1/generation.grpc.pb.h"

namespace windowkv::bench {

// A generation backend without a model. A request with the text "idle" is never answered; any other
// gets `accepted` at once and then a chunk every `interval`, whose text is the time it was written
// at (StampText), until the client cancels. Thread-safe.
class PacedBackend final : public v1::GenerationService::CallbackService {
 public:
  explicit PacedBackend(absl::Duration interval);
  ~PacedBackend() override;

  const std::string& target() const { return target_; }
  // Waits until so many streams are open.
  void WaitForStreams(size_t count);

  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* GetLoad(grpc::CallbackServerContext* context,
                                    const v1::GetLoadRequest* request, v1::Load* response) override;

 private:
  class Stream;

  void Pace();  // the writing thread
  void Remove(Stream* stream);

  const absl::Duration interval_;
  std::string target_;
  std::unique_ptr<grpc::Server> server_;

  std::mutex mu_;
  std::condition_variable changed_;
  std::set<Stream*> streams_;  // guarded by mu_
  bool stopping_ = false;      // guarded by mu_
  std::thread pacer_;
};

// MonotonicNow() as a text, and how long ago that was.
std::string StampText();
absl::Duration AgeOf(const std::string& stamp);

}  // namespace windowkv::bench

#endif  // WINDOWKV_TESTS_BENCH_PACED_BACKEND_H_
