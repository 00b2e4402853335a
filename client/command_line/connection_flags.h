#ifndef WINDOWKV_CLIENT_COMMAND_LINE_CONNECTION_FLAGS_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_CONNECTION_FLAGS_H_

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/client.h"

namespace windowkv::client {

// Which server to call and how long to wait: the flags that every subcommand has.
struct ConnectionFlags {
  std::string target;
  absl::Duration timeout;
  bool tls = false;
  TlsFiles tls_files;
  std::string traceparent;

  absl::StatusOr<std::unique_ptr<Client>> Connect() const;
  // For a command that reads `target` as several, with commas between them: a client for each.
  absl::StatusOr<std::vector<std::unique_ptr<Client>>> ConnectAll() const;
  CallOptions ToCallOptions(Cancellation* cancellation) const;

 private:
  absl::StatusOr<std::unique_ptr<Client>> ConnectTo(const std::string& one_target) const;
};

// Adds the flags to `app`. `flags` must outlive the parse. `default_target` is HOST:PORT and
// `default_timeout` a duration such as "10m".
void AddConnectionFlags(CLI::App* app, const std::string& default_target,
                        const std::string& default_timeout, ConnectionFlags* flags);

// Refuses what is not a duration above 0. "inf" is one.
std::string CheckDuration(const std::string& text);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_CONNECTION_FLAGS_H_
