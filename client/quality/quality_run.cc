#include "client/quality/quality_run.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/error_details.h"

namespace windowkv::client {
namespace {

v1::GenerateRequest RequestFor(const QualityPlan& plan, const CacheSetting& setting,
                               const Document& document) {
  v1::GenerateRequest request = plan.request;
  v1::ChatMessage* message = request.mutable_chat()->add_messages();
  message->set_role("user");
  message->set_content(document.UserTurn());
  if (setting.task != v1::TASK_UNSPECIFIED) request.set_task(setting.task);
  v1::CacheOptions* cache = request.mutable_cache();
  if (setting.policy == v1::CACHE_POLICY_WINDOWKV) *cache = plan.windowkv;
  cache->set_policy(setting.policy);
  if (setting.policy != v1::CACHE_POLICY_FULL) cache->set_budget_tokens(setting.budget_tokens);
  return request;
}

// A server that does not know a policy must not have its answers counted for it.
absl::Status CheckPolicy(const v1::Receipt& receipt, const CacheSetting& setting) {
  if (receipt.policy() == setting.policy) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the server ran ", v1::CachePolicy_Name(receipt.policy()), ", not ",
                   v1::CachePolicy_Name(setting.policy)));
}

// One plan while it runs.
class QualityRun {
 public:
  QualityRun(Client& client, const DocumentGenerator& generator, const QualityPlan& plan,
             const CallOptions& options, const std::function<void(int)>& on_done)
      : client_(client),
        generator_(generator),
        plan_(plan),
        options_(options),
        on_done_(on_done),
        settings_(plan.Settings()),
        num_requests_(plan.documents * static_cast<int>(settings_.size())) {}

  QualityResult Run() {
    const absl::Time start = absl::Now();
    std::vector<std::thread> threads;
    const int num_threads = std::min(plan_.concurrency, num_requests_);
    threads.reserve(static_cast<size_t>(num_threads));
    for (int i = 0; i < num_threads; ++i) threads.emplace_back([this] { Work(); });
    for (std::thread& thread : threads) thread.join();
    result_.wall = absl::Now() - start;
    result_.interrupted = Interrupted();
    return std::move(result_);
  }

 private:
  bool Interrupted() const {
    return options_.cancellation != nullptr && options_.cancellation->cancelled();
  }

  void Work() {
    const int num_settings = static_cast<int>(settings_.size());
    for (int i = next_++; i < num_requests_ && !Interrupted(); i = next_++) {
      Ask(generator_.Make(i / num_settings), settings_[static_cast<size_t>(i % num_settings)]);
    }
  }

  void Ask(const Document& document, const CacheSetting& setting) {
    std::string answer;
    v1::Finished finished;
    absl::Status status = client_.Generate(RequestFor(plan_, setting, document), options_,
                                           [&](const v1::GenerateResponse& message) {
                                             if (message.has_chunk())
                                               answer += message.chunk().text();
                                             if (message.has_finished())
                                               finished = message.finished();
                                           });
    if (!status.ok() && Interrupted()) return;
    if (status.ok()) status = CheckPolicy(finished.receipt(), setting);
    const bool exact =
        absl::StripAsciiWhitespace(answer) == absl::StripAsciiWhitespace(document.answer);
    std::lock_guard lock(mu_);
    QualityTally& tally = result_.tallies[{setting, document.family}];
    if (status.ok()) {
      tally.AddAnswer(exact, finished);
    } else {
      tally.AddError(status);
      if (IsUnreachable(status)) ++result_.unreachable;
      if (!result_.first_error) result_.first_error = status;
    }
    on_done_(++done_);
  }

  // Constant after construction; not owned.
  Client& client_;
  const DocumentGenerator& generator_;
  const QualityPlan& plan_;
  const CallOptions& options_;
  const std::function<void(int)>& on_done_;
  const std::vector<CacheSetting> settings_;
  const int num_requests_;

  std::atomic<int> next_{0};
  std::mutex mu_;
  int done_ = 0;          // guarded by mu_
  QualityResult result_;  // guarded by mu_ while threads run
};

}  // namespace

std::vector<CacheSetting> QualityPlan::Settings() const {
  std::vector<CacheSetting> settings = {CacheSetting()};
  for (const v1::CachePolicy policy : policies) {
    std::vector<v1::Task> named = {v1::TASK_UNSPECIFIED};
    if (policy == v1::CACHE_POLICY_WINDOWKV && !tasks.empty()) named = tasks;
    for (const v1::Task task : named) {
      for (const int32_t budget : budgets) settings.push_back({policy, task, budget});
    }
  }
  return settings;
}

QualityResult RunQuality(Client& client, const DocumentGenerator& generator,
                         const QualityPlan& plan, const CallOptions& options,
                         const std::function<void(int)>& on_done) {
  return QualityRun(client, generator, plan, options, on_done).Run();
}

}  // namespace windowkv::client
