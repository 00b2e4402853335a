#include "server/router/router_services.h"

#include <gtest/gtest.h>

#include "engine/base/status.h"
#include "server/rpc/status_mapping.h"
#include "tests/server/router/router_fixture.h"

namespace windowkv {
namespace {

class RouterServicesTest : public RouterFixture {
 protected:
  grpc::Status GetModelInfo(v1::ModelInfo* info) {
    grpc::ClientContext context;
    return stub_->GetModelInfo(&context, {}, info);
  }
};

TEST_F(RouterServicesTest, TokenizeAndModelInfoComeFromABackend) {
  StartRouter({});
  backend(0).service.tokens.add_token_ids(42);
  v1::ModelInfo info;
  ASSERT_TRUE(GetModelInfo(&info).ok());
  EXPECT_EQ(info.name(), "fake_llama");
  grpc::ClientContext context;
  v1::TokenizeResponse tokens;
  ASSERT_TRUE(stub_->Tokenize(&context, {}, &tokens).ok());
  EXPECT_EQ(tokens.token_ids(0), 42);
}

TEST_F(RouterServicesTest, AUnaryCallGoesToAnotherBackendWhenOneIsGone) {
  StartRouter({.backends = 2});
  backend(0).server.reset();
  v1::ModelInfo info;
  EXPECT_TRUE(GetModelInfo(&info).ok());
  EXPECT_EQ(info.name(), "fake_llama");
}

TEST_F(RouterServicesTest, AUnaryErrorPassesWithItsDetails) {
  StartRouter({});
  const grpc::Status given =
      testing::DetailedStatus(grpc::StatusCode::FAILED_PRECONDITION, "no template", "chat", 0);
  backend(0).service.SetUnaryStatus(given);
  v1::ModelInfo info;
  const grpc::Status status = GetModelInfo(&info);
  EXPECT_EQ(status.error_code(), given.error_code());
  EXPECT_EQ(status.error_details(), given.error_details());
}

TEST_F(RouterServicesTest, AUnaryCallWithoutBackendsIsUnavailableWithARetryDelay) {
  StartRouter({});
  backend(0).server.reset();
  poller_->PollNow();
  v1::ModelInfo info;
  const absl::Status status = FromGrpcStatus(GetModelInfo(&info));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_TRUE(RetryDelayOf(status).has_value());
}

TEST_F(RouterServicesTest, LoadIsTheSumOverHealthyBackends) {
  StartRouter({.backends = 3});
  backend(0).SetFreeBlocks(10);
  backend(1).SetFreeBlocks(20);
  backend(2).server.reset();
  poller_->PollNow();
  grpc::ClientContext context;
  v1::Load load;
  ASSERT_TRUE(stub_->GetLoad(&context, {}, &load).ok());
  EXPECT_EQ(load.free_kv_blocks(), 30);
  EXPECT_EQ(load.total_kv_blocks(), 2000);
  EXPECT_TRUE(load.accepting());
}

TEST_F(RouterServicesTest, ListsEveryBackendHealthyOrNot) {
  StartRouter({.backends = 2});
  backend(1).server.reset();
  poller_->PollNow();
  BackendListService service(pool_.get());
  const testing::FakeServer server(&service);
  auto stub = v1::RouterService::NewStub(
      grpc::CreateChannel(server.target(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::ListBackendsResponse response;
  ASSERT_TRUE(stub->ListBackends(&context, {}, &response).ok());
  ASSERT_EQ(response.backends_size(), 2);
  EXPECT_TRUE(response.backends(0).healthy());
  EXPECT_EQ(response.backends(0).load().free_kv_blocks(), 100);
  EXPECT_FALSE(response.backends(1).healthy());
}

}  // namespace
}  // namespace windowkv
