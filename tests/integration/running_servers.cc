#include "tests/integration/running_servers.h"

#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/base/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"

namespace windowkv::testing {
namespace {

std::string ProgramPath(const std::string& name) {
  return absl::StrCat(std::getenv("WINDOWKV_BIN_DIR"), "/", name);
}

std::string ModelPath(const std::string& name) {
  return absl::StrCat(std::getenv("WINDOWKV_SOURCE_DIR"), "/deploy/models/", name);
}

// Removes what the processes of a test logged, unless it failed.
class LogRemover final : public ::testing::EmptyTestEventListener {
 public:
  void Add(std::string file) { files_.push_back(std::move(file)); }

 private:
  void OnTestEnd(const ::testing::TestInfo& test) override {
    for (const std::string& file : files_) {
      if (!test.result()->Failed()) std::remove(file.c_str());
    }
    files_.clear();
  }

  std::vector<std::string> files_;
};

LogRemover& Logs() {
  static LogRemover& logs = *[] {
    auto* made = new LogRemover;
    ::testing::UnitTest::GetInstance()->listeners().Append(made);  // which owns it
    return made;
  }();
  return logs;
}

// A file of its own for each process, named after the test so that parallel tests do not meet.
std::string NewErrorFile(const std::string& name) {
  static int count = 0;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string file = absl::StrCat(::testing::TempDir(), test == nullptr ? "suite" : test->name(),
                                  "_", getpid(), "_", ++count, "_", name, ".log");
  Logs().Add(file);
  return file;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& target) {
  return grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
}

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
}

}  // namespace

absl::StatusOr<RunningServer> StartServer(const std::string& name,
                                          const std::vector<std::string>& flags,
                                          const ServerPlace& place) {
  std::vector<std::string> argv = {ProgramPath(name), "--listen", place.listen, "--http",
                                   "127.0.0.1:0"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  RunningServer server;
  const std::string errors = place.error_file.empty() ? NewErrorFile(name) : place.error_file;
  WINDOWKV_ASSIGN_OR_RETURN(server.process, ChildProcess::Start(argv, errors));
  WINDOWKV_ASSIGN_OR_RETURN(const auto line, server.process->ReadLine(kPatience));
  const std::vector<std::string> words = absl::StrSplit(line.value_or(""), ' ');
  if (words.size() != 6 || words[0] != name || words[1] != "ready:" || words[2] != "grpc" ||
      words[4] != "http") {
    return absl::InternalError(absl::StrCat(name, " printed \"", line.value_or(""),
                                            "\" as its ready line; its log says:\n",
                                            server.process->Errors()));
  }
  server.grpc = words[3];
  server.http = words[5];
  return server;
}

std::vector<std::string> ModelFlags(const std::string& name) {
  return {"--model", ModelPath(name)};
}

absl::Status WaitUntilServing(const std::string& grpc, bool serving) {
  using grpc::health::v1::HealthCheckResponse;
  const auto wanted = serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  auto stub = grpc::health::v1::Health::NewStub(Connect(grpc));
  grpc::ClientContext context;
  SetDeadline(&context);
  auto reader = stub->Watch(&context, grpc::health::v1::HealthCheckRequest());
  grpc::health::v1::HealthCheckResponse response;
  while (reader->Read(&response)) {
    if (response.status() == wanted) {
      context.TryCancel();
      return absl::OkStatus();
    }
  }
  return absl::UnavailableError(absl::StrCat(grpc, " does not become ",
                                             HealthCheckResponse::ServingStatus_Name(wanted), ": ",
                                             reader->Finish().error_message()));
}

absl::StatusOr<RunningServers> RunningServers::Start() {
  RunningServers servers;
  WINDOWKV_ASSIGN_OR_RETURN(servers.classifier,
                            StartServer("windowkv-classifier", ModelFlags("task_classifier")));
  WINDOWKV_ASSIGN_OR_RETURN(servers.generation,
                            StartServer("windowkv-generation", ModelFlags("demo_llama")));
  WINDOWKV_ASSIGN_OR_RETURN(
      servers.router, StartServer("windowkv-router", {"--classifier", servers.classifier.grpc,
                                                      "--generation", servers.generation.grpc}));
  for (const RunningServer* server : {&servers.classifier, &servers.generation, &servers.router}) {
    WINDOWKV_RETURN_IF_ERROR(WaitUntilServing(server->grpc));
  }
  return servers;
}

absl::StatusOr<std::unique_ptr<ChildProcess>> StartClient(
    const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {ProgramPath("windowkv")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return ChildProcess::Start(argv, NewErrorFile("windowkv"));
}

absl::StatusOr<v1::Load> GetLoad(const std::string& grpc) {
  auto stub = v1::GenerationService::NewStub(Connect(grpc));
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::Load load;
  const grpc::Status status = stub->GetLoad(&context, v1::GetLoadRequest(), &load);
  if (!status.ok()) return absl::UnavailableError(status.error_message());
  return load;
}

absl::Status WaitUntilIdle(const std::string& grpc) {
  const absl::Time deadline = absl::Now() + kPatience;
  absl::StatusOr<v1::Load> load;
  do {
    WINDOWKV_ASSIGN_OR_RETURN(load, GetLoad(grpc));
    if (load->running() == 0 && load->waiting() == 0 &&
        load->free_kv_blocks() == load->total_kv_blocks()) {
      return absl::OkStatus();
    }
  } while (absl::Now() < deadline);
  return absl::DeadlineExceededError(load->ShortDebugString());
}

absl::StatusOr<v1::GenerateResponse> ParseMessage(const std::string& line) {
  v1::GenerateResponse message;
  const auto status = google::protobuf::util::JsonStringToMessage(line, &message);
  if (!status.ok()) return absl::InternalError(absl::StrCat("not a message: ", line));
  return message;
}

}  // namespace windowkv::testing
