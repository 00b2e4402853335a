#ifndef WINDOWKV_SERVER_RPC_SERVER_FLAGS_H_
#define WINDOWKV_SERVER_RPC_SERVER_FLAGS_H_

#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/rpc/server_options.h"

namespace windowkv {

// The command line of a server: flags that all share (--listen, --http, --config, --log-level,
// --drain-timeout, --connection-memory, --keepalive-…, --max-message-bytes, --tls-…, --version) and
// the program's own, each of them also an environment variable (--max-running:
// WINDOWKV_MAX_RUNNING) and a line of the
// --config file (max-running=64). A flag beats the file, which beats the environment. Used by main
// only.
class ServerFlags {
 public:
  // `listen` and `http` are the defaults of the flags of these names.
  ServerFlags(std::string program, std::string description, std::string listen, std::string http);

  // To add the program's own flags to, before Parse.
  CLI::App& app() { return app_; }
  // A flag such as "30s" or "1m30s", in [0s, 24h]. `value` holds the default. For
  // bytes use app().add_option(...)->transform(CLI::AsSizeValue(false)), which reads "1GiB".
  CLI::Option* AddDuration(const std::string& name, absl::Duration* value, const std::string& help);

  // --slow-reader-timeout, of servers that stream; `value`, for SlowReaders, is infinite for never.
  void AddSlowReaderTimeout(absl::Duration* value);

  // Fills the flags' variables and options(). Returns an exit code when the program is done: 0
  // after
  // --help or --version, 2 after bad usage, which one line on stderr explains.
  std::optional<int> Parse(int argc, const char* const* argv);

  const ServerOptions& options() const { return options_; }

 private:
  absl::Status Validate();

  CLI::App app_;
  ServerOptions options_;
  std::string listen_;
  std::string http_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_SERVER_FLAGS_H_
