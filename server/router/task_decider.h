#ifndef WINDOWKV_SERVER_ROUTER_TASK_DECIDER_H_
#define WINDOWKV_SERVER_ROUTER_TASK_DECIDER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "server/metrics/router_metrics.h"
#include "server/router/server_channel.h"
#include "server/router/verdict_cache.h"
#include "windowkv/v1/classifier.grpc.pb.h"
#include "windowkv/v1/generation.pb.h"

namespace windowkv {

// Finds a request's task: the client's own word, a classifier's verdict, or, when no classifier
// answers in time or none is sure enough, the configured default with the reason. Never fails.
// Owned by main; outlives the services that use it. Thread-safe.
class TaskDecider {
 public:
  struct Options {
    // HOST:PORT each; none: the default task is taken, with the reason.
    std::vector<std::string> classifiers;
    ServerChannelOptions channel = {};  // to each of them
    v1::Task default_task = v1::TASK_LOCALIZATION;
    // For all classifiers together.
    absl::Duration timeout = absl::Seconds(2);
    // A classifier that is less sure of its verdict is not followed. Range [0, 1].
    double min_confidence = 0.7;
    // Verdicts kept for texts that come again.
    VerdictCache::Options cache = {};
  };

  // Nothing: the request needs no task, or has none the router may decide.
  using Done = std::function<void(std::optional<v1::TaskVerdict>)>;
  // The client's call.
  struct Client {
    // Makes the context of the next call to a classifier, cancelled along with the client's.
    std::function<std::shared_ptr<grpc::ClientContext>()> new_context;
    // Whether those calls are cancelled.
    std::function<bool()> has_left;
  };

  // `metrics` outlives this.
  TaskDecider(Options options, RouterMetrics* metrics);

  // Calls `done` once, on this thread or one of gRPC's. `request` must stay until then.
  void Decide(const v1::GenerateRequest& request, Client client, Done done);

 private:
  struct Call;

  void AskNext(std::shared_ptr<Call> call);
  absl::Duration TimeLeft(const Call& call) const;
  void OnAnswer(const std::shared_ptr<Call>& call, const grpc::Status& status);
  void OnFailure(const std::shared_ptr<Call>& call, const grpc::Status& status);
  // Takes the classifier's verdict, or the default when the classifier is not sure of it.
  void Conclude(const Call& call, const VerdictCache::Verdict& found);
  void FallBack(const Call& call, RouterMetrics::Fallback reason, const std::string& text);
  v1::TaskVerdict DefaultVerdict(const std::string& reason) const;

  const Options options_;
  RouterMetrics* const metrics_;                                     // not owned
  std::vector<std::unique_ptr<v1::ClassifierService::Stub>> stubs_;  // constant
  std::atomic<size_t> next_{0};                                      // classifiers take turns
  VerdictCache cache_;
};

// Whether the cache options leave the strategy to the task. A request without a policy may get
// WINDOWKV from its backend's default, so it is classified too.
bool NeedsTask(const v1::CacheOptions& cache);

// "localization" or "aggregation"; empty for no task. For log lines.
const char* TaskWord(v1::Task task);

// What the user wrote: the text, or the contents of the chat's user messages joined by blank lines,
// without the markup that a template puts around them. Of a chat in which the user says nothing,
// the contents of all messages. Empty for token ids, which the router cannot read.
std::string TextToClassify(const v1::GenerateRequest& request);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_TASK_DECIDER_H_
