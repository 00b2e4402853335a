#include <future>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "server/generation/generation_service.h"
#include "server/rpc/server_process.h"
#include "tests/server/generation/generation_service_fixture.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/tcp_proxy.h"

// A client goes, in each way it can, while its request is in each state it can be in.

namespace windowkv {
namespace {

using ::windowkv::testing::Call;
using ::windowkv::testing::TcpProxy;

enum class Goes { kByCancelling, kByReset, kSilently };

struct State {
  std::string name;
  std::vector<StreamEvent> events;  // what the engine gave so far
  size_t messages_read;
};

void PrintTo(const State& state, std::ostream* out) { *out << state.name; }

std::vector<State> States() {
  const StreamEvent progress = ProgressEvent{1, 4};
  const StreamEvent chunk = ChunkEvent{"some text", {1}, {}};
  // Far more than HTTP/2 lets a server send to a client that does not read.
  const StreamEvent long_chunk = ChunkEvent{std::string(16 << 20, 'x'), {2}, {}};
  return {{"queued", {}, 0},
          {"prefilling", {AcceptedEvent{}, progress}, 2},
          {"decoding", {AcceptedEvent{}, progress, chunk}, 3},
          {"blocked_on_its_reader", {AcceptedEvent{}, progress, chunk, long_chunk}, 3}};
}

class BrokenConnectionTest : public ::testing::TestWithParam<std::tuple<State, Goes>> {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.program = "windowkv-generation";
    options.listen = {"127.0.0.1", 0};
    options.keepalive_time = absl::Milliseconds(100);
    options.keepalive_timeout = absl::Seconds(1);  // a busy machine's client answers in time
    auto process =
        ServerProcess::Start(options,
                             {.services = {{v1::GenerationService::service_full_name(), &service_}},
                              .is_healthy = nullptr,
                              .drain = nullptr},
                             Logger::Silent());
    ASSERT_TRUE(process.ok()) << process.status();
    process_ = *std::move(process);
    proxy_ = TcpProxy::Start(process_->address().port);
    ASSERT_NE(proxy_, nullptr);
    stub_ = v1::GenerationService::NewStub(
        grpc::CreateChannel(proxy_->target(), grpc::InsecureChannelCredentials()));
  }

  testing::FakeEngine engine_;
  testing::CountingMetrics metrics_;
  GenerationServiceImpl service_{&engine_, &metrics_, Logger::Silent()};
  std::unique_ptr<ServerProcess> process_;
  std::unique_ptr<TcpProxy> proxy_;
  std::unique_ptr<v1::GenerationService::Stub> stub_;
};

TEST_P(BrokenConnectionTest, TheRequestIsCancelledAndItsCallForgotten) {
  const auto& [state, goes] = GetParam();
  auto stream = std::make_shared<TokenStream>();
  std::promise<void> submitted;
  engine_.on_submit = [&](const GenerationRequest&) {
    submitted.set_value();
    return stream;
  };
  v1::GenerateRequest request;
  request.set_text("a prompt");
  Call call(stub_.get(), request);
  submitted.get_future().wait();
  v1::GenerateResponse response;
  for (size_t i = 0; i < state.events.size(); ++i) {
    stream->Push(state.events[i]);
    if (i < state.messages_read) {
      ASSERT_TRUE(call.Read(&response));
    }
  }
  switch (goes) {
    case Goes::kByCancelling:
      call.Cancel();
      break;
    case Goes::kByReset:
      proxy_->Reset();
      break;
    case Goes::kSilently:
      proxy_->GoSilent();
      break;
  }
  while (!stream->cancelled()) std::this_thread::yield();
  // The service holds the stream as long as the call.
  while (stream.use_count() > 1) std::this_thread::yield();
}

std::string CaseName(const ::testing::TestParamInfo<std::tuple<State, Goes>>& info) {
  static const char* const kGoes[] = {"cancelled", "reset", "silent"};
  return std::get<State>(info.param).name + "_" +
         kGoes[static_cast<int>(std::get<Goes>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(States, BrokenConnectionTest,
                         ::testing::Combine(::testing::ValuesIn(States()),
                                            ::testing::Values(Goes::kByCancelling, Goes::kByReset,
                                                              Goes::kSilently)),
                         CaseName);

}  // namespace
}  // namespace windowkv
