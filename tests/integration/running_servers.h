#ifndef WINDOWKV_TESTS_INTEGRATION_RUNNING_SERVERS_H_
#define WINDOWKV_TESTS_INTEGRATION_RUNNING_SERVERS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/integration/child_process.h"
#include "windowkv/v1/generation.grpc.pb.h"

namespace windowkv::testing {

// How long a step may take on a slow and busy machine before a test gives it up.
inline constexpr absl::Duration kPatience = absl::Seconds(90);

// One of our server programs on free loopback ports. Owned by the test.
struct RunningServer {
  std::unique_ptr<ChildProcess> process;
  std::string grpc;  // HOST:PORT
  std::string http;
};

// Where a server listens, and its standard error goes; by default a free port and a file.
struct ServerPlace {
  std::string listen = "127.0.0.1:0";
  std::string error_file = {};
};

// Starts build/PRESET/bin/`name` with --http on port 0, and reads its ready line.
absl::StatusOr<RunningServer> StartServer(const std::string& name,
                                          const std::vector<std::string>& flags,
                                          const ServerPlace& place = {});

// The flag and the directory of a model of deploy/models.
std::vector<std::string> ModelFlags(const std::string& name);

// OK once the health service at `grpc` says for the whole server that it is serving, or that it is
// not.
absl::Status WaitUntilServing(const std::string& grpc, bool serving = true);

// Classifier, generation server and router with the models of deploy/models, all SERVING.
struct RunningServers {
  RunningServer classifier;
  RunningServer generation;
  RunningServer router;

  static absl::StatusOr<RunningServers> Start();
};

// Starts `windowkv` with these arguments.
absl::StatusOr<std::unique_ptr<ChildProcess>> StartClient(
    const std::vector<std::string>& arguments);

// What the server at `grpc` says of its load.
absl::StatusOr<v1::Load> GetLoad(const std::string& grpc);

// Asks the server at `grpc` until nothing runs or waits there and every block is free.
absl::Status WaitUntilIdle(const std::string& grpc);

// A message that `windowkv generate --json` printed.
absl::StatusOr<v1::GenerateResponse> ParseMessage(const std::string& line);

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_INTEGRATION_RUNNING_SERVERS_H_
