#include "server/metrics/http_endpoint.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "httplib.h"

namespace windowkv {
namespace {

class HttpEndpointTest : public ::testing::Test {
 protected:
  HttpEndpointTest() { Restart(HttpEndpoint::Config().request_timeout); }

  void Restart(absl::Duration request_timeout) {
    HttpEndpoint::Config config;
    config.host = "127.0.0.1";
    config.request_timeout = request_timeout;
    config.metrics_text = [this] { return metrics_text_; };
    config.is_live = [this] { return live_.load(); };
    config.is_ready = [this] { return ready_.load(); };
    auto endpoint = HttpEndpoint::Start(std::move(config));
    EXPECT_TRUE(endpoint.ok()) << endpoint.status();
    endpoint_ = *std::move(endpoint);
  }

  httplib::Result Get(const std::string& path) const {
    return httplib::Client("127.0.0.1", endpoint_->port()).Get(path);
  }

  std::string metrics_text_ = "windowkv_test 1\n";  // constant while requests come
  std::atomic<bool> live_ = true;
  std::atomic<bool> ready_ = true;
  std::unique_ptr<HttpEndpoint> endpoint_;
};

TEST_F(HttpEndpointTest, ServesMetricsInPrometheusTextFormat) {
  const auto response = Get("/metrics");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "windowkv_test 1\n");
  EXPECT_EQ(response->get_header_value("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(HttpEndpointTest, ProbesFollowTheProcess) {
  EXPECT_EQ(Get("/livez")->status, 200);
  EXPECT_EQ(Get("/readyz")->status, 200);
  ready_ = false;
  EXPECT_EQ(Get("/livez")->status, 200);
  EXPECT_EQ(Get("/readyz")->status, 503);
  live_ = false;
  EXPECT_EQ(Get("/livez")->status, 503);
}

TEST_F(HttpEndpointTest, AnswersNothingElse) {
  EXPECT_EQ(Get("/")->status, 404);
  EXPECT_EQ(Get("/metrics/x")->status, 404);
  EXPECT_EQ(Get("/../etc/passwd")->status, 404);
  const auto post = httplib::Client("127.0.0.1", endpoint_->port()).Post("/metrics");
  EXPECT_EQ(post->status, 404);
}

TEST_F(HttpEndpointTest, AnswersManyScrapersAtOnce) {
  std::atomic<int> answered = 0;
  std::vector<std::thread> scrapers;
  for (int i = 0; i < 16; ++i) {
    scrapers.emplace_back([&] {
      const auto response = Get("/metrics");
      if (response && response->status == 200) ++answered;
    });
  }
  for (std::thread& scraper : scrapers) scraper.join();
  EXPECT_EQ(answered, 16);
}

// A connection whose client sends what the test says.
class RawClient {
 public:
  explicit RawClient(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~RawClient() { close(fd_); }

  void Send(const std::string& bytes) const { send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  bool HearsWithin(int milliseconds) const {
    pollfd wait{fd_, POLLIN, 0};
    return poll(&wait, 1, milliseconds) > 0;
  }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

TEST_F(HttpEndpointTest, ClientsThatDribbleHoldItUpForATimeOnly) {
  Restart(absl::Milliseconds(100));
  std::vector<std::unique_ptr<RawClient>> dribblers;
  for (int i = 0; i < 8; ++i) {
    dribblers.push_back(std::make_unique<RawClient>(endpoint_->port()));
    dribblers.back()->Send("GET /livez HTTP/1.1\r\nX: ");
  }
  const RawClient probe(endpoint_->port());
  probe.Send("GET /livez HTTP/1.1\r\n\r\n");
  int rounds = 0;
  while (!probe.HearsWithin(/*milliseconds=*/10) && ++rounds < 1000) {
    for (const auto& dribbler : dribblers) dribbler->Send("x");
  }
  EXPECT_LT(rounds, 1000);
}

TEST_F(HttpEndpointTest, ReadsNoRequestWithoutEnd) {
  Restart(absl::Hours(1));
  const RawClient client(endpoint_->port());
  client.Send("GET /livez HTTP/1.1\r\n");
  for (int i = 0; i < 2000; ++i) client.Send("X: some header\r\n");
  EXPECT_TRUE(client.HearsWithin(/*milliseconds=*/60'000)) << "an answer, or the connection's end";
}

TEST_F(HttpEndpointTest, ClientsThatDoNotReadHoldItUpForATimeOnly) {
  metrics_text_ = std::string(32 << 20, 'x');  // more than sockets take
  Restart(absl::Milliseconds(100));
  std::vector<std::unique_ptr<RawClient>> slow_readers;
  for (int i = 0; i < 8; ++i) {
    slow_readers.push_back(std::make_unique<RawClient>(endpoint_->port()));
    slow_readers.back()->Send("GET /metrics HTTP/1.1\r\n\r\n");
  }
  const RawClient probe(endpoint_->port());
  probe.Send("GET /livez HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(probe.HearsWithin(/*milliseconds=*/60'000));
}

TEST_F(HttpEndpointTest, ATakenPortIsUnavailable) {
  HttpEndpoint::Config config;
  config.host = "127.0.0.1";
  config.port = endpoint_->port();
  const auto second = HttpEndpoint::Start(std::move(config));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(HttpEndpointTest, GivesItsPortBackWhenItGoes) {
  HttpEndpoint::Config config;
  config.host = "127.0.0.1";
  config.port = endpoint_->port();
  endpoint_.reset();
  EXPECT_TRUE(HttpEndpoint::Start(std::move(config)).ok());
}

}  // namespace
}  // namespace windowkv
