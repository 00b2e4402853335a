#include <functional>
#include <limits>
#include <string>

#include "engine/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/rpc/status_mapping.h"
#include "tests/server/generation/generation_service_fixture.h"

namespace windowkv {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::windowkv::testing::Call;
using ::windowkv::testing::GenerationServiceTest;
using ::windowkv::testing::RequestIdOf;

// What only the wire can get wrong: each is INVALID_ARGUMENT naming the field, and the engine never
// sees the request.
struct BadInput {
  std::string name;
  std::function<void(v1::GenerateRequest*)> spoil;
  std::string field;
  std::string message;
};

class BadInputTest : public GenerationServiceTest,
                     public ::testing::WithParamInterface<BadInput> {};

TEST_P(BadInputTest, IsRefusedNamingTheField) {
  v1::GenerateRequest request = TextRequest();
  GetParam().spoil(&request);
  Call call(stub_.get(), request);
  EXPECT_TRUE(call.ReadAll().empty());
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr(GetParam().message));
  EXPECT_EQ(FieldOf(FromGrpcStatus(status)), GetParam().field);
  EXPECT_NE(RequestIdOf(status), "");
  EXPECT_TRUE(engine_.requests().empty());
  EXPECT_THAT(metrics_.failures(), ElementsAre(absl::StatusCode::kInvalidArgument));
}

using Request = v1::GenerateRequest;

INSTANTIATE_TEST_SUITE_P(
    Wire, BadInputTest,
    ::testing::Values(
        BadInput{"NoInput", [](Request* r) { r->clear_input(); }, "input",
                 "is not set, must be text, chat or token_ids"},
        BadInput{"EmptyText", [](Request* r) { r->set_text(""); }, "text", "is empty"},
        BadInput{"NoMessages", [](Request* r) { r->mutable_chat(); }, "chat.messages", "is empty"},
        BadInput{"NoRole",
                 [](Request* r) {
                   r->mutable_chat()->add_messages()->set_role("user");
                   r->mutable_chat()->add_messages()->set_content("hello");
                 },
                 "chat.messages[1].role", "is empty, must be system, user or assistant"},
        BadInput{"NoTokenIds", [](Request* r) { r->mutable_token_ids(); }, "token_ids.ids",
                 "is empty"},
        BadInput{"LongRequestId", [](Request* r) { r->set_request_id(std::string(200, 'x')); },
                 "request_id", "has 200 bytes, must have at most 128"},
        BadInput{"RequestIdWithANewline", [](Request* r) { r->set_request_id("a\nb"); },
                 "request_id", "control character"},
        BadInput{"UnknownTask", [](Request* r) { r->set_task(static_cast<v1::Task>(9)); }, "task",
                 "is 9, must be one of 1, 2"},
        BadInput{
            "UnknownPolicy",
            [](Request* r) { r->mutable_cache()->set_policy(static_cast<v1::CachePolicy>(-1)); },
            "cache.policy", "is -1, must be one of 1, 2"},
        BadInput{"UnknownStrategy",
                 [](Request* r) { r->mutable_cache()->set_strategy(static_cast<v1::Strategy>(4)); },
                 "cache.strategy", "is 4, must be one of 1, 2, 3"},
        BadInput{"UnknownMapping",
                 [](Request* r) {
                   r->mutable_cache()->set_task_mapping(static_cast<v1::TaskMapping>(3));
                 },
                 "cache.task_mapping", "is 3"},
        BadInput{"UnknownAccounting",
                 [](Request* r) {
                   r->mutable_cache()->set_accounting(static_cast<v1::BudgetAccounting>(3));
                 },
                 "cache.accounting", "is 3"},
        BadInput{"VerdictWithoutTask",
                 [](Request* r) { r->mutable_task_verdict()->set_confidence(0.5); },
                 "task_verdict.task", "is not set, must be 1 (localization) or 2 (aggregation)"},
        BadInput{"VerdictAgainstTheTask",
                 [](Request* r) {
                   r->set_task(v1::TASK_LOCALIZATION);
                   r->mutable_task_verdict()->set_task(v1::TASK_AGGREGATION);
                 },
                 "task_verdict.task", "is 2, must be 1, as task is"},
        BadInput{"VerdictWithNan",
                 [](Request* r) {
                   r->mutable_task_verdict()->set_task(v1::TASK_AGGREGATION);
                   r->mutable_task_verdict()->set_confidence(
                       std::numeric_limits<float>::quiet_NaN());
                 },
                 "task_verdict.confidence", "is nan, must be in [0, 1]"},
        BadInput{"VerdictWithALongReason",
                 [](Request* r) {
                   r->mutable_task_verdict()->set_task(v1::TASK_AGGREGATION);
                   r->mutable_task_verdict()->set_fallback_reason(std::string(513, 'x'));
                 },
                 "task_verdict.fallback_reason", "has 513 bytes, must have at most 512"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace windowkv
