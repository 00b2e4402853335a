#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <windowkv/v1/router.grpc.pb.h>

#include <nlohmann/json.hpp>
#include <string>

#include "client/command_line/error_line.h"
#include "tests/client/command_line/command_line_fixture.h"

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;

class FakeRouterService final : public v1::RouterService::Service {
 public:
  grpc::Status ListBackends(grpc::ServerContext* context, const v1::ListBackendsRequest* request,
                            v1::ListBackendsResponse* response) override {
    v1::Backend* backend = response->add_backends();
    backend->set_target("10.0.3.7:50051");
    backend->set_healthy(true);
    backend->set_open_streams(3);
    backend->mutable_load()->set_free_kv_blocks(40);
    backend->mutable_load()->set_total_kv_blocks(100);
    response->add_backends()->set_target("10.0.3.8:50051");
    return grpc::Status::OK;
  }
};

class BackendsCommandTest : public CommandLineFixture {
 protected:
  FakeRouterService router_;
  testing::FakeServer router_server_{&router_};
};

TEST_F(BackendsCommandTest, ShowsALineForEach) {
  const Outcome outcome = Run({"backends", "--target", router_server_.target()});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(outcome.out,
            "10.0.3.7:50051           healthy      40 of 100 KV blocks free, 0 running, 0 waiting, "
            "3 of this router's streams\n"
            "10.0.3.8:50051           not healthy  0 of 0 KV blocks free, 0 running, 0 waiting, "
            "0 of this router's streams\n");
}

TEST_F(BackendsCommandTest, JsonHasTheProtosNames) {
  const Outcome outcome = Run({"backends", "--target", router_server_.target(), "--json"});
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["backends"][0]["open_streams"], 3);
  EXPECT_EQ(json["backends"][1]["healthy"], false);
}

TEST_F(BackendsCommandTest, AnotherKindOfServerDoesNotOfferThem) {
  const Outcome outcome = Call("backends", {});
  EXPECT_EQ(outcome.exit_code, kExitServerError);
  EXPECT_THAT(outcome.err, HasSubstr("the server does not offer this call"));
}

}  // namespace
}  // namespace windowkv::client
