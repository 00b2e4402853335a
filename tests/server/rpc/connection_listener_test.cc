#include "server/rpc/connection_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;

// A socket that is there before the file descriptors run out.
class Client {
 public:
  ~Client() { close(fd_); }

  bool Connect(int port) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  // Waits until the server closed the connection.
  bool IsTurnedAway() const {
    char byte = 0;
    return read(fd_, &byte, 1) <= 0;
  }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

// Leaves the process without a free file descriptor.
class NoFileDescriptors {
 public:
  NoFileDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 256;
    setrlimit(RLIMIT_NOFILE, &low);
    for (int fd = 0; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
  }
  ~NoFileDescriptors() {
    for (const int fd : taken_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

class ConnectionListenerTest : public ::testing::Test {
 protected:
  void Listen(const std::string& host) {
    auto listener = ConnectionListener::Listen({host, 0}, Logger::Silent());
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  // Starts, closing the one connection that comes.
  std::future<void> TakeOne() {
    auto taken = std::make_shared<std::promise<void>>();
    std::future<void> future = taken->get_future();
    listener_->Start(absl::Hours(1), [taken](int, int fd) {
      close(fd);
      taken->set_value();
    });
    return future;
  }

  std::unique_ptr<ConnectionListener> listener_;
};

TEST_F(ConnectionListenerTest, HandsConnectionsOver) {
  Listen("127.0.0.1");
  ASSERT_GT(listener_->address().port, 0);
  std::future<void> taken = TakeOne();
  const Client client;
  ASSERT_TRUE(client.Connect(listener_->address().port));
  taken.wait();
}

TEST_F(ConnectionListenerTest, ANameIsListenedOnAsWell) {
  Listen("localhost");
  std::future<void> taken = TakeOne();
  const Client client;
  ASSERT_TRUE(client.Connect(listener_->address().port));
  taken.wait();
}

TEST_F(ConnectionListenerTest, WithoutFileDescriptorsClientsAreTurnedAwayAndLaterTakenAgain) {
  Listen("127.0.0.1");
  std::future<void> taken = TakeOne();
  const int port = listener_->address().port;
  const std::vector<Client> early(3);
  const Client late;
  {
    const NoFileDescriptors shortage;
    for (const Client& client : early) {
      ASSERT_TRUE(client.Connect(port));
      EXPECT_TRUE(client.IsTurnedAway());
    }
  }
  ASSERT_TRUE(late.Connect(port));
  taken.wait();
}

TEST_F(ConnectionListenerTest, NobodyListensAfterStop) {
  Listen("127.0.0.1");
  listener_->Start(absl::Hours(1), [](int, int fd) { close(fd); });
  listener_->Stop();
  const Client client;
  EXPECT_FALSE(client.Connect(listener_->address().port));
}

TEST_F(ConnectionListenerTest, ANameOfWhichOneAddressIsTakenIsRefused) {
  Listen("127.0.0.1");
  const int port = listener_->address().port;
  const auto listener = ConnectionListener::Listen({"localhost", port}, Logger::Silent());
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(listener.status().message()),
              HasSubstr("localhost:" + std::to_string(port) + ": Address already in use"));
}

TEST_F(ConnectionListenerTest, AnAddressThatIsNotOursIsNamed) {
  const auto listener = ConnectionListener::Listen({"192.0.2.1", 0}, Logger::Silent());
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(listener.status().message()), HasSubstr("192.0.2.1:0"));
}

}  // namespace
}  // namespace windowkv
