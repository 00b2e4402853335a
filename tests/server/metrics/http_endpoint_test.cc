#include "server/metrics/http_endpoint.h"

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
  HttpEndpointTest() {
    HttpEndpoint::Config config;
    config.host = "127.0.0.1";
    config.metrics_text = [] { return std::string("windowkv_test 1\n"); };
    config.is_live = [this] { return live_.load(); };
    config.is_ready = [this] { return ready_.load(); };
    auto endpoint = HttpEndpoint::Start(std::move(config));
    EXPECT_TRUE(endpoint.ok()) << endpoint.status();
    endpoint_ = *std::move(endpoint);
  }

  httplib::Result Get(const std::string& path) const {
    return httplib::Client("127.0.0.1", endpoint_->port()).Get(path);
  }

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
