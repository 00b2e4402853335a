#include "server/router/task_decider.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "engine/base/monotonic_clock.h"
#include "server/metrics/task_label.h"
#include "server/rpc/shortened_text.h"

namespace windowkv {
namespace {

bool IsTask(int value) { return value == v1::TASK_LOCALIZATION || value == v1::TASK_AGGREGATION; }

Task ToTask(v1::Task task) {
  return task == v1::TASK_AGGREGATION ? Task::kAggregation : Task::kLocalization;
}

// What a classifier may say: a task we know, and a probability.
bool IsVerdict(const v1::TaskClassification& classification) {
  return IsTask(classification.task()) && classification.confidence() >= 0 &&
         classification.confidence() <= 1;
}

// As many digits as show that the first is below the second.
std::string LowConfidenceReason(const VerdictCache::Verdict& found, double limit) {
  std::string shown = absl::StrFormat("%.2f", found.confidence);
  std::string shown_limit = absl::StrFormat("%.2f", limit);
  if (shown == shown_limit) {
    shown = absl::StrFormat("%.6f", found.confidence);
    shown_limit = absl::StrFormat("%.6f", limit);
  }
  return absl::StrCat("low confidence: ", TaskWord(found.task), " at ", shown, ", below ",
                      shown_limit);
}

// CANCELLED, when we did not: gRPC's answer to a call that reaches a server in the moment of its
// shutdown.
bool AnotherMayAnswer(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::RESOURCE_EXHAUSTED ||
         code == grpc::StatusCode::CANCELLED;
}

RouterMetrics::Fallback FallbackFor(grpc::StatusCode code) {
  const bool was_away =
      code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::CANCELLED;
  return was_away ? RouterMetrics::Fallback::kUnavailable : RouterMetrics::Fallback::kError;
}

// The contents of the messages of `role`, of all when it is empty, joined by blank lines.
std::string ContentsOf(const v1::ChatMessages& chat, std::string_view role) {
  std::string contents;
  for (const v1::ChatMessage& message : chat.messages()) {
    if (message.content().empty() || (!role.empty() && message.role() != role)) continue;
    absl::StrAppend(&contents, contents.empty() ? "" : "\n\n", message.content());
  }
  return contents;
}

}  // namespace

// One request's way through the classifiers. Shared by the callbacks of its calls.
struct TaskDecider::Call {
  Client client;
  Done done;
  absl::Duration start;        // by MonotonicNow()
  size_t first = 0;            // whose turn it was
  size_t asked = 0;            // classifiers asked so far
  VerdictCache::Key key = {};  // of the text, unless the cache is off
  std::shared_ptr<grpc::ClientContext> context;
  v1::ClassifyRequest request;
  v1::ClassifyResponse response;
};

TaskDecider::TaskDecider(Options options, RouterMetrics* metrics)
    : options_(std::move(options)), metrics_(metrics), cache_(options_.cache, metrics) {
  for (const std::string& target : options_.classifiers) {
    stubs_.push_back(v1::ClassifierService::NewStub(MakeServerChannel(target, options_.channel)));
  }
}

void TaskDecider::Decide(const v1::GenerateRequest& request, Client client, Done done) {
  if (request.task() != v1::TASK_UNSPECIFIED) {
    // A task we do not know is the backend's to refuse.
    if (!IsTask(request.task())) return done(std::nullopt);
    v1::TaskVerdict verdict;
    verdict.set_task(request.task());
    verdict.set_confidence(1);
    return done(std::move(verdict));
  }
  if (!NeedsTask(request.cache())) return done(std::nullopt);
  auto call = std::make_shared<Call>();
  call->done = std::move(done);
  if (request.has_token_ids()) {
    return FallBack(*call, RouterMetrics::Fallback::kNotClassifiable,
                    "token ids cannot be classified");
  }
  std::string text = TextToClassify(request);
  if (text.empty()) return call->done(std::nullopt);  // the backend's to refuse
  if (stubs_.empty()) {
    return FallBack(*call, RouterMetrics::Fallback::kNotConfigured, "no classifier is configured");
  }
  if (cache_.enabled()) {
    call->key = VerdictCache::KeyOf(text);
    if (const auto known = cache_.Find(call->key, MonotonicNow())) return Conclude(*call, *known);
  }
  call->client = std::move(client);
  call->request.set_request_id(request.request_id());
  call->request.add_texts(std::move(text));
  call->start = MonotonicNow();
  call->first = next_.fetch_add(1, std::memory_order_relaxed);
  AskNext(std::move(call));
}

void TaskDecider::AskNext(std::shared_ptr<Call> call) {
  auto& stub = stubs_[(call->first + call->asked++) % stubs_.size()];
  call->context = call->client.new_context();
  call->context->set_deadline(
      std::min(call->context->deadline(), absl::ToChronoTime(absl::Now() + TimeLeft(*call))));
  call->response.Clear();
  Call* raw = call.get();
  stub->async()->Classify(
      raw->context.get(), &raw->request, &raw->response,
      [this, call = std::move(call)](const grpc::Status& status) { OnAnswer(call, status); });
}

absl::Duration TaskDecider::TimeLeft(const Call& call) const {
  return options_.timeout - (MonotonicNow() - call.start);
}

void TaskDecider::OnAnswer(const std::shared_ptr<Call>& call, const grpc::Status& status) {
  // It holds the channel, which must not end on this thread of gRPC's when `done` is the last thing
  // before the router shuts down.
  call->context.reset();
  if (!status.ok()) return OnFailure(call, status);
  if (call->response.classifications_size() != 1 || !IsVerdict(call->response.classifications(0))) {
    return FallBack(*call, RouterMetrics::Fallback::kError, "classifier gave no task");
  }
  const v1::TaskClassification& classification = call->response.classifications(0);
  const VerdictCache::Verdict found = {classification.task(), classification.confidence()};
  const absl::Duration now = MonotonicNow();
  metrics_->OnClassifierAnswered(now - call->start);
  cache_.Insert(call->key, found, call->response.model(), now);
  Conclude(*call, found);
}

void TaskDecider::OnFailure(const std::shared_ptr<Call>& call, const grpc::Status& status) {
  // Nobody should look at the classifier for that.
  if (call->client.has_left()) return call->done(DefaultVerdict("the client left"));
  const grpc::StatusCode code = status.error_code();
  // The call has the client's deadline where that is the earlier one.
  if (code == grpc::StatusCode::DEADLINE_EXCEEDED && TimeLeft(*call) > absl::ZeroDuration()) {
    return call->done(DefaultVerdict("the request's deadline passed"));
  }
  if (AnotherMayAnswer(code) && call->asked < stubs_.size() &&
      TimeLeft(*call) > absl::ZeroDuration()) {
    return AskNext(call);
  }
  if (code == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return FallBack(
        *call, RouterMetrics::Fallback::kDeadlineExceeded,
        absl::StrCat("classifier did not answer within ", absl::FormatDuration(options_.timeout)));
  }
  FallBack(*call, FallbackFor(code), absl::StrCat("classifier failed: ", status.error_message()));
}

void TaskDecider::Conclude(const Call& call, const VerdictCache::Verdict& found) {
  v1::TaskVerdict verdict;
  if (found.confidence < static_cast<float>(options_.min_confidence)) {
    metrics_->OnClassifierFallback(RouterMetrics::Fallback::kLowConfidence);
    verdict = DefaultVerdict(LowConfidenceReason(found, options_.min_confidence));
  } else {
    metrics_->OnClassified(ToTask(found.task));
    verdict.set_task(found.task);
  }
  verdict.set_confidence(found.confidence);
  call.done(std::move(verdict));
}

void TaskDecider::FallBack(const Call& call, RouterMetrics::Fallback reason,
                           const std::string& text) {
  metrics_->OnClassifierFallback(reason);
  call.done(DefaultVerdict(text));
}

v1::TaskVerdict TaskDecider::DefaultVerdict(const std::string& reason) const {
  v1::TaskVerdict verdict;
  verdict.set_task(options_.default_task);
  verdict.set_fallback_reason(ShortenedText(reason, kMaxFallbackReasonBytes));
  return verdict;
}

bool NeedsTask(const v1::CacheOptions& cache) {
  const bool may_be_windowkv =
      cache.policy() == v1::CACHE_POLICY_UNSPECIFIED || cache.policy() == v1::CACHE_POLICY_WINDOWKV;
  const bool automatic =
      cache.strategy() == v1::STRATEGY_UNSPECIFIED || cache.strategy() == v1::STRATEGY_AUTO;
  return may_be_windowkv && automatic;
}

const char* TaskWord(v1::Task task) { return IsTask(task) ? TaskLabel(ToTask(task)) : ""; }

std::string TextToClassify(const v1::GenerateRequest& request) {
  if (request.has_text()) return request.text();
  std::string of_user = ContentsOf(request.chat(), "user");
  return of_user.empty() ? ContentsOf(request.chat(), "") : of_user;
}

}  // namespace windowkv
