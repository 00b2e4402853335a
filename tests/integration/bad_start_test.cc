#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/running_servers.h"

namespace windowkv::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Flags = std::vector<std::string>;

// A port of loopback that somebody listens on.
class TakenPort {
 public:
  TakenPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, generic, size), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
    EXPECT_EQ(getsockname(fd_, generic, &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~TakenPort() { close(fd_); }

  const std::string& address() const { return address_; }

 private:
  const int fd_;
  std::string address_;
};

// A program and what it needs to start.
struct Program {
  std::string name;
  Flags flags;
};

std::vector<Program> Programs() {
  return {{"windowkv-router", {"--generation", "127.0.0.1:1", "--classifier", ""}},
          {"windowkv-generation", ModelFlags("demo_llama")},
          {"windowkv-classifier", ModelFlags("task_classifier")}};
}

// A file or directory of the test's own, named after it.
std::string Scratch(const std::string& name) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const fs::path directory =
      fs::path(::testing::TempDir()) / absl::StrCat("bad_start_", test->name());
  fs::create_directories(directory);
  return directory / name;
}

std::string FileWith(const std::string& name, const std::string& content) {
  const std::string path = Scratch(name);
  std::ofstream(path) << content;
  return path;
}

// The program ends by itself with an exit code above 0 and, besides its log, one line that names
// `named`.
void ExpectRefusal(const std::string& program, Flags flags, const std::string& named) {
  SCOPED_TRACE(absl::StrCat(program, " ", absl::StrJoin(flags, " ")));
  flags.insert(flags.begin(), absl::StrCat(std::getenv("WINDOWKV_BIN_DIR"), "/", program));
  auto process = ChildProcess::Start(flags, Scratch("errors"));
  ASSERT_TRUE(process.ok()) << process.status();
  const auto code = (*process)->Wait(kPatience);
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_TRUE(*code == 1 || *code == 2) << *code;
  Flags lines;
  EXPECT_THAT((*process)->Errors(), Not(HasSubstr("msg=serving")));
  for (const auto& line : absl::StrSplit((*process)->Errors(), '\n')) {
    if (!line.empty() && !absl::StartsWith(line, "time=")) lines.emplace_back(line);
  }
  ASSERT_EQ(lines.size(), 1u) << absl::StrJoin(lines, "\n");
  EXPECT_THAT(lines[0], StartsWith(program + ": "));
  EXPECT_THAT(lines[0], HasSubstr(named));
  const auto printed = (*process)->ReadLines(kPatience);
  ASSERT_TRUE(printed.ok());
  EXPECT_THAT(*printed, ::testing::IsEmpty());
}

// With free ports, unless `flags` name others.
void ExpectNoStart(const Program& program, const Flags& more, const std::string& named) {
  Flags flags = program.flags;
  for (const char* flag : {"--listen", "--http"}) {
    if (std::find(more.begin(), more.end(), flag) != more.end()) continue;
    flags.insert(flags.end(), {flag, "127.0.0.1:0"});
  }
  flags.insert(flags.end(), more.begin(), more.end());
  ExpectRefusal(program.name, flags, named);
}

TEST(BadStartTest, AWrongFlagIsNamed) {
  const std::pair<Flags, std::string> cases[] = {
      {{"--no-such-flag"}, "--no-such-flag"},
      {{"--drain-timeout", "soon"}, "--drain-timeout"},
      {{"--drain-timeout"}, "--drain-timeout"},
      {{"--listen", "nowhere"}, "--listen"},
      {{"--http", "127.0.0.1:70000"}, "--http"},
      {{"--log-level", "loud"}, "--log-level"},
      {{"--max-message-bytes", "16 apples"}, "--max-message-bytes"},
      {{"--keepalive-time", "1ms"}, "--keepalive-time"},
      {{"--config", "/no/such/file"}, "/no/such/file"},
      {{"--config", FileWith("misspelt.conf", "drain-timeot=3s\n")}, "drain-timeot"},
      {{"stray"}, "stray"},
  };
  for (const Program& program : Programs()) {
    for (const auto& [flags, named] : cases) ExpectNoStart(program, flags, named);
  }
}

TEST(BadStartTest, AWrongFlagOfOneProgramIsNamed) {
  const std::vector<Program> programs = Programs();
  ExpectRefusal("windowkv-router", {"--generation", "backend"}, "--generation: ");
  ExpectRefusal("windowkv-router", {"--generation", "backend:0"}, "--generation: ");
  ExpectRefusal("windowkv-router", {"--generation", ""}, "--generation");
  ExpectRefusal("windowkv-router", {"--classifier", "a:1,b"}, "--classifier: ");
  ExpectRefusal("windowkv-router", {"--generation", "a:1,b:1,a:1"},
                "--generation: \"a:1\" is there twice");
  ExpectRefusal("windowkv-router", {"--classifier", "a:1,a:1"},
                "--classifier: \"a:1\" is there twice");
  ExpectNoStart(programs[0], {"--min-task-confidence", "2"}, "--min-task-confidence");
  ExpectNoStart(programs[0], {"--load-interval", "1h"}, "--load-interval");
  ExpectRefusal("windowkv-generation", {}, "--model");
  ExpectNoStart(programs[1], {"--device", "abacus"}, "--device");
  ExpectNoStart(programs[1], {"--kv-pool-bytes", "much"}, "--kv-pool-bytes");
  ExpectNoStart(programs[1], {"--kv-pool-bytes", "1"}, "kv_pool_bytes");
  ExpectNoStart(programs[1], {"--max-waiting", "0"}, "--max-waiting");
  ExpectNoStart(programs[1], {"--policy", "magic"}, "--policy");
  ExpectRefusal("windowkv-classifier", {}, "--model");
  ExpectNoStart(programs[2], {"--dtype", "int3"}, "--dtype");
}

TEST(BadStartTest, AnAddressThatIsTakenIsNamedWithItsFlag) {
  const TakenPort taken;
  for (const Program& program : Programs()) {
    for (const char* flag : {"--listen", "--http"}) {
      ExpectNoStart(program, {flag, taken.address()},
                    absl::StrCat(flag, ": cannot listen on ", taken.address()));
    }
  }
}

TEST(BadStartTest, AddressesAndTlsFilesAreLookedAtBeforeTheModel) {
  const TakenPort taken;
  for (const char* program : {"windowkv-generation", "windowkv-classifier"}) {
    const Program without_model = {program, {"--model", "/no/such/model"}};
    ExpectNoStart(without_model, {"--listen", taken.address()}, "--listen: cannot listen on ");
    ExpectNoStart(without_model, {"--http", taken.address()}, "--http: cannot listen on ");
    ExpectNoStart(without_model, {"--tls-cert", "/no/such.pem", "--tls-key", "/no/such.pem"},
                  "--tls-cert: cannot read /no/such.pem");
  }
}

TEST(BadStartTest, AnAddressOfAnotherHostIsNamedWithItsFlag) {
  for (const Program& program : Programs()) {
    // 192.0.2.0/24 is kept for documentation: nobody has it.
    ExpectNoStart(program, {"--listen", "192.0.2.1:0"}, "--listen: cannot listen on 192.0.2.1:0");
    ExpectNoStart(program, {"--http", "192.0.2.1:0"}, "--http: cannot listen on 192.0.2.1:0");
  }
}

TEST(BadStartTest, AModelThatCannotBeReadIsNamed) {
  const std::vector<Program> programs = Programs();
  for (const Program& program : {programs[1], programs[2]}) {
    const fs::path good = program.flags[1];
    const std::string empty = Scratch(program.name + "_empty");
    fs::create_directories(empty);
    for (const std::string& model :
         {std::string("/no/such/model"), empty, FileWith("file", "a model?")}) {
      ExpectNoStart({program.name, {}}, {"--model", model}, model);
    }
    for (const auto& entry : fs::directory_iterator(good)) {
      const std::string file = entry.path().filename();
      if (file == "README.md" || file == "generation_config.json" ||
          file == "tokenizer_config.json") {
        continue;
      }
      const std::string copy = Scratch(absl::StrCat(program.name, "_without_", file));
      fs::remove_all(copy);
      fs::create_directories(copy);
      for (const auto& other : fs::directory_iterator(good)) {
        if (other != entry) fs::create_symlink(other.path(), copy / other.path().filename());
      }
      ExpectNoStart({program.name, {}}, {"--model", copy}, copy);  // missing
      std::ofstream(copy + "/" + file) << "{ nonsense";
      ExpectNoStart({program.name, {}}, {"--model", copy}, copy + "/" + file);
    }
  }
}

TEST(BadStartTest, ABadTlsFileIsNamedWithItsFlag) {
  const std::string not_pem = FileWith("not.pem", "nonsense");
  const std::string empty_pem =
      FileWith("empty.pem", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
  for (const Program& program : Programs()) {
    ExpectNoStart(program, {"--tls-cert", "/no/such.pem", "--tls-key", not_pem},
                  "--tls-cert: cannot read /no/such.pem");
    ExpectNoStart(program, {"--tls-cert", not_pem, "--tls-key", not_pem},
                  absl::StrCat("--tls-cert: ", not_pem));
    ExpectNoStart(program, {"--tls-cert", empty_pem, "--tls-key", empty_pem},
                  absl::StrCat("--tls-cert: ", empty_pem));
    ExpectNoStart(program, {"--tls-cert", not_pem}, "--tls-key");
    ExpectNoStart(program, {"--tls-client-ca", not_pem}, "--tls-cert");
  }
  const Program router = Programs()[0];
  ExpectNoStart(router, {"--backend-tls-ca", "/no/such.pem"},
                "--backend-tls-ca: cannot read /no/such.pem");
  ExpectNoStart(router, {"--backend-tls-cert", not_pem}, "--backend-tls-ca");
  ExpectNoStart(router, {"--backend-tls-name", "backend"}, "--backend-tls-ca");
}

}  // namespace
}  // namespace windowkv::testing
