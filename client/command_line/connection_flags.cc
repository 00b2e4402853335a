#include "client/command_line/connection_flags.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_split.h"
#include "client/traceparent.h"

namespace windowkv::client {
namespace {

constexpr char kGroup[] = "Connection";

// Who runs us in a trace says so in this variable, by custom. Nobody asked for what is not valid,
// so it is ignored.
std::string TraceparentOfCaller() {
  const char* value = std::getenv("TRACEPARENT");
  return value != nullptr && IsTraceparent(value) ? value : "";
}

std::string CheckTraceparent(const std::string& text) {
  if (IsTraceparent(text)) return "";
  return "\"" + text + "\" is no W3C traceparent: 00-TRACE_ID-PARENT_ID-FLAGS, in lower-case hex";
}

}  // namespace

std::string CheckDuration(const std::string& text) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration) && duration > absl::ZeroDuration()) return "";
  return "\"" + text + "\" is not a positive duration such as 500ms, 30s, 10m or inf";
}

absl::StatusOr<std::unique_ptr<Client>> ConnectionFlags::Connect() const {
  return ConnectTo(target);
}

absl::StatusOr<std::vector<std::unique_ptr<Client>>> ConnectionFlags::ConnectAll() const {
  std::vector<std::unique_ptr<Client>> clients;
  for (const absl::string_view one : absl::StrSplit(target, ',')) {
    absl::StatusOr<std::unique_ptr<Client>> client = ConnectTo(std::string(one));
    if (!client.ok()) return client.status();
    clients.push_back(*std::move(client));
  }
  return clients;
}

absl::StatusOr<std::unique_ptr<Client>> ConnectionFlags::ConnectTo(
    const std::string& one_target) const {
  ConnectOptions options{.target = one_target, .tls = std::nullopt};
  const bool any_file =
      !tls_files.ca_file.empty() || !tls_files.cert_file.empty() || !tls_files.key_file.empty();
  if (tls || any_file) options.tls = tls_files;
  return Client::Create(options);
}

CallOptions ConnectionFlags::ToCallOptions(Cancellation* cancellation) const {
  return {.timeout = timeout, .cancellation = cancellation, .traceparent = traceparent};
}

void AddConnectionFlags(CLI::App* app, const std::string& default_target,
                        const std::string& default_timeout, ConnectionFlags* flags) {
  flags->target = default_target;
  absl::ParseDuration(default_timeout, &flags->timeout);
  app->add_option("--target", flags->target, "Server to call")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->group(kGroup);
  app->add_option_function<std::string>(
         "--timeout",
         [flags](const std::string& text) { absl::ParseDuration(text, &flags->timeout); },
         "Longest time the whole call may take, above 0; inf for no limit")
      ->check(CheckDuration)
      ->type_name("DURATION")
      ->default_str(default_timeout)
      ->group(kGroup);
  app->add_flag("--tls", flags->tls, "Encrypt, and check the server against the system's roots")
      ->group(kGroup);
  app->add_option("--tls-ca", flags->tls_files.ca_file,
                  "PEM file of roots to trust instead of the system's; implies --tls")
      ->type_name("FILE")
      ->group(kGroup);
  auto* cert = app->add_option("--tls-cert", flags->tls_files.cert_file,
                               "PEM file of this client's certificate chain; implies --tls")
                   ->type_name("FILE")
                   ->group(kGroup);
  auto* key =
      app->add_option("--tls-key", flags->tls_files.key_file, "PEM file of the key of --tls-cert")
          ->type_name("FILE")
          ->group(kGroup);
  flags->traceparent = TraceparentOfCaller();
  app->add_option("--traceparent", flags->traceparent,
                  "Trace that the call belongs to, for the servers' logs; by default that of "
                  "$TRACEPARENT, if any")
      ->check(CheckTraceparent)
      ->type_name("W3C")
      ->group(kGroup);
  cert->needs(key);
  key->needs(cert);
}

}  // namespace windowkv::client
