#include "tests/testing/fake_generation_server.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

namespace windowkv::testing {
namespace {

grpc::Status ShortAnswer(const v1::GenerateRequest& request, GenerateWriter* writer) {
  writer->Write(AcceptedMessage(request));
  writer->Write(ProgressMessage(8, 8));
  writer->Write(ChunkMessage("The answer", 11));
  writer->Write(ChunkMessage(" is 42.", 12));
  writer->Write(FinishedMessage());
  return grpc::Status::OK;
}

void FillVerdict(const std::string& text, v1::TaskClassification* verdict) {
  verdict->set_task(v1::TASK_LOCALIZATION);
  verdict->set_confidence(0.75F);
  verdict->set_tokens_read(7);
  auto* probability = verdict->add_probabilities();
  probability->set_task(v1::TASK_LOCALIZATION);
  probability->set_probability(0.75F);
  verdict->add_read()->set_end(static_cast<int32_t>(text.size()));
}

grpc::Status AnswerEach(ClassifierStream* stream) {
  int64_t index = 0;
  for (v1::ClassifyStreamRequest request; stream->Read(&request); ++index) {
    stream->Write(StreamAnswer(index, request.text()));
  }
  return grpc::Status::OK;
}

}  // namespace

FakeGenerationService::FakeGenerationService()
    : on_generate([](const v1::GenerateRequest& request, grpc::ServerContext*,
                     GenerateWriter* writer) { return ShortAnswer(request, writer); }),
      on_tokenize([this](const v1::TokenizeRequest&, grpc::ServerContext*) { return tokens; }) {
  model_info.set_name("fake_llama");
  model_info.set_num_layers(8);
  load_.set_free_kv_blocks(100);
  load_.set_total_kv_blocks(100);
  load_.set_accepting(true);
}

void FakeGenerationService::SetLoad(const v1::Load& load) {
  std::lock_guard lock(mu_);
  load_ = load;
}

void FakeGenerationService::SetUnaryStatus(const grpc::Status& status) {
  std::lock_guard lock(mu_);
  unary_status_ = status;
}

grpc::Status FakeGenerationService::UnaryStatus() const {
  std::lock_guard lock(mu_);
  return unary_status_;
}

std::vector<v1::GenerateRequest> FakeGenerationService::requests() const {
  std::lock_guard lock(mu_);
  return requests_;
}

void FakeGenerationService::WaitForCancellation() {
  std::unique_lock lock(mu_);
  cancelled_changed_.wait(lock, [this] { return cancelled_; });
}

grpc::Status FakeGenerationService::HoldUntilCancelled(grpc::ServerContext* context) {
  std::unique_lock lock(mu_);
  // The synchronous API has no event for a cancelled call, only this question.
  while (!context->IsCancelled()) {
    cancelled_changed_.wait_for(lock, std::chrono::milliseconds(2));
  }
  cancelled_ = true;
  cancelled_changed_.notify_all();
  return grpc::Status::CANCELLED;
}

grpc::Status FakeGenerationService::Generate(grpc::ServerContext* context,
                                             const v1::GenerateRequest* request,
                                             GenerateWriter* writer) {
  {
    std::lock_guard lock(mu_);
    requests_.push_back(*request);
  }
  return on_generate(*request, context, writer);
}

grpc::Status FakeGenerationService::Tokenize(grpc::ServerContext* context,
                                             const v1::TokenizeRequest* request,
                                             v1::TokenizeResponse* response) {
  *response = on_tokenize(*request, context);
  return UnaryStatus();
}

grpc::Status FakeGenerationService::GetModelInfo(grpc::ServerContext*,
                                                 const v1::GetModelInfoRequest*,
                                                 v1::ModelInfo* response) {
  *response = model_info;
  return UnaryStatus();
}

grpc::Status FakeGenerationService::GetLoad(grpc::ServerContext*, const v1::GetLoadRequest*,
                                            v1::Load* response) {
  std::lock_guard lock(mu_);
  *response = load_;
  return unary_status_;
}

FakeClassifierService::FakeClassifierService()
    : on_classify([](const v1::ClassifyRequest& request, grpc::ServerContext*,
                     v1::ClassifyResponse* response) {
        for (const std::string& text : request.texts()) {
          FillVerdict(text, response->add_classifications());
        }
        response->set_model("fake_bert");
        return grpc::Status::OK;
      }),
      on_classify_stream(
          [](grpc::ServerContext*, ClassifierStream* stream) { return AnswerEach(stream); }) {}

std::vector<v1::ClassifyRequest> FakeClassifierService::requests() const {
  std::lock_guard lock(mu_);
  return requests_;
}

grpc::Status FakeClassifierService::Classify(grpc::ServerContext* context,
                                             const v1::ClassifyRequest* request,
                                             v1::ClassifyResponse* response) {
  {
    std::lock_guard lock(mu_);
    requests_.push_back(*request);
  }
  return on_classify(*request, context, response);
}

grpc::Status FakeClassifierService::ClassifyStream(grpc::ServerContext* context,
                                                   ClassifierStream* stream) {
  return on_classify_stream(context, stream);
}

FakeServer::FakeServer(grpc::Service* service, int port) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                           &port_);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(service);
  server_ = builder.BuildAndStart();
}

FakeServer::~FakeServer() {
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
}

v1::ClassifyStreamResponse StreamAnswer(int64_t index, const std::string& text) {
  v1::ClassifyStreamResponse answer;
  answer.set_index(index);
  answer.set_model("fake_bert");
  if (text.empty()) {
    answer.mutable_error()->set_code(grpc::StatusCode::INVALID_ARGUMENT);
    answer.mutable_error()->set_message("text is empty");
  } else {
    FillVerdict(text, answer.mutable_classification());
  }
  return answer;
}

v1::GenerateResponse AcceptedMessage(const v1::GenerateRequest& request) {
  v1::GenerateResponse message;
  v1::Accepted* accepted = message.mutable_accepted();
  accepted->set_request_id(request.request_id());
  *accepted->mutable_task() = request.task_verdict();
  accepted->set_prompt_tokens(20);
  return message;
}

v1::GenerateResponse ProgressMessage(int layers_done, int layers_total) {
  v1::GenerateResponse message;
  message.mutable_progress()->set_layers_done(layers_done);
  message.mutable_progress()->set_layers_total(layers_total);
  return message;
}

v1::GenerateResponse ChunkMessage(const std::string& text, int token_id) {
  v1::GenerateResponse message;
  message.mutable_chunk()->set_text(text);
  message.mutable_chunk()->add_token_ids(token_id);
  return message;
}

v1::GenerateResponse FinishedMessage() {
  v1::GenerateResponse message;
  v1::Finished* finished = message.mutable_finished();
  finished->set_finish_reason(v1::FINISH_REASON_STOP);
  v1::Usage* usage = finished->mutable_usage();
  usage->set_prompt_tokens(20);
  usage->set_completion_tokens(2);
  usage->mutable_prefill()->set_nanos(250'000'000);
  usage->mutable_decode()->set_nanos(100'000'000);
  v1::Receipt* receipt = finished->mutable_receipt();
  receipt->set_policy(v1::CACHE_POLICY_WINDOWKV);
  receipt->set_strategy(v1::STRATEGY_MEAN);
  receipt->set_task(v1::TASK_LOCALIZATION);
  receipt->set_bytes_full(4096);
  receipt->set_bytes_kept(1024);
  receipt->set_bytes_prefill_peak(2048);
  v1::Receipt::Group* group = receipt->add_groups();
  group->set_num_layers(8);
  group->set_budget_tokens(6);
  group->set_kept_tokens(5);
  return message;
}

grpc::Status DetailedStatus(grpc::StatusCode code, const std::string& message,
                            const std::string& field, int retry_seconds) {
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  google::rpc::BadRequest bad_request;
  bad_request.add_field_violations()->set_field(field);
  if (!field.empty()) details.add_details()->PackFrom(bad_request);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(retry_seconds);
  if (retry_seconds > 0) details.add_details()->PackFrom(retry);
  return {code, message, details.SerializeAsString()};
}

}  // namespace windowkv::testing
