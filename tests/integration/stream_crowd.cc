#include "tests/integration/stream_crowd.h"

#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "tests/integration/running_servers.h"

namespace windowkv::testing {

StreamCrowd::StreamCrowd(const std::string& target, int streams, const v1::GenerateRequest& request)
    : stub_(v1::GenerationService::NewStub(
          grpc::CreateChannel(target, grpc::InsecureChannelCredentials()))),
      outcomes_(static_cast<size_t>(streams)) {
  for (StreamOutcome& outcome : outcomes_) {
    contexts_.push_back(std::make_unique<grpc::ClientContext>());
    contexts_.back()->set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    threads_.emplace_back([this, request, context = contexts_.back().get(), &outcome] {
      Run(request, context, &outcome);
    });
  }
}

StreamCrowd::~StreamCrowd() {
  for (const auto& context : contexts_) context->TryCancel();
  Join();
}

void StreamCrowd::Run(const v1::GenerateRequest& request, grpc::ClientContext* context,
                      StreamOutcome* outcome) {
  auto reader = stub_->Generate(context, request);
  bool has_text = false;
  for (v1::GenerateResponse message; reader->Read(&message);) {
    if (message.has_accepted()) {
      outcome->accepted = true;
      outcome->task = message.accepted().task();
    } else if (message.has_finished()) {
      outcome->finished = message.finished();
    } else if (message.has_chunk()) {
      outcome->text += message.chunk().text();
      if (has_text) continue;
      has_text = true;
      std::lock_guard lock(mu_);
      ++with_text_;
      progress_.notify_all();
    }
  }
  outcome->status = reader->Finish();
  std::lock_guard lock(mu_);
  ++ended_;
  progress_.notify_all();
}

void StreamCrowd::WaitForText(int streams) {
  std::unique_lock lock(mu_);
  progress_.wait(
      lock, [&] { return with_text_ >= streams || ended_ == static_cast<int>(outcomes_.size()); });
}

const std::vector<StreamOutcome>& StreamCrowd::Join() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  return outcomes_;
}

v1::GenerateRequest WindRequest(int tokens) {
  v1::GenerateRequest request;
  request.set_text("The wind over the library");
  request.mutable_sampling()->set_temperature(0);
  request.mutable_sampling()->set_max_tokens(tokens);
  request.mutable_sampling()->set_ignore_eos(true);
  request.mutable_cache()->set_policy(v1::CACHE_POLICY_FULL);
  return request;
}

bool IsTypedUnavailable(const grpc::Status& status) {
  google::rpc::Status details;
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
      !details.ParseFromString(status.error_details())) {
    return false;
  }
  bool has_error_info = false;
  bool has_retry_info = false;
  for (const auto& detail : details.details()) {
    has_error_info = has_error_info || detail.Is<google::rpc::ErrorInfo>();
    has_retry_info = has_retry_info || detail.Is<google::rpc::RetryInfo>();
  }
  return has_error_info && has_retry_info;
}

}  // namespace windowkv::testing
