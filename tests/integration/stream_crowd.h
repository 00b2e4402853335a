#ifndef WINDOWKV_TESTS_INTEGRATION_STREAM_CROWD_H_
#define WINDOWKV_TESTS_INTEGRATION_STREAM_CROWD_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "grpcpp/client_context.h"
#include "windowkv/v1/generation.grpc.pb.h"

namespace windowkv::testing {

// What one Generate call came to. A value.
struct StreamOutcome {
  grpc::Status status;
  bool accepted = false;
  std::string text;
  v1::TaskVerdict task;
  v1::Finished finished;
};

// Many Generate calls at once over one connection, each read by a thread of its own. A call that
// takes longer than kPatience ends with DEADLINE_EXCEEDED. Owned by the test.
class StreamCrowd {
 public:
  StreamCrowd(const std::string& target, int streams, const v1::GenerateRequest& request);
  // Cancels what still runs.
  ~StreamCrowd();
  StreamCrowd(const StreamCrowd&) = delete;
  StreamCrowd& operator=(const StreamCrowd&) = delete;

  // Waits until this many of the streams got some text, or all have ended.
  void WaitForText(int streams);
  // Waits for the end of every stream.
  const std::vector<StreamOutcome>& Join();

 private:
  void Run(const v1::GenerateRequest& request, grpc::ClientContext* context,
           StreamOutcome* outcome);

  const std::unique_ptr<v1::GenerationService::Stub> stub_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::vector<StreamOutcome> outcomes_;  // each its thread's until Join
  std::vector<std::thread> threads_;

  std::mutex mu_;
  std::condition_variable progress_;
  int with_text_ = 0;  // guarded by mu_
  int ended_ = 0;      // guarded by mu_
};

// A greedy request for `tokens` tokens of a short text, whose KV cache needs no task.
v1::GenerateRequest WindRequest(int tokens);

// UNAVAILABLE with ErrorInfo and RetryInfo, as a client must get it to know what to do.
bool IsTypedUnavailable(const grpc::Status& status);

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_INTEGRATION_STREAM_CROWD_H_
