#include "server/rpc/server_flags.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "server/rpc/build_version.h"

namespace windowkv {
namespace {

constexpr int kBadUsage = 2;
// Longer waits would overflow clocks.
constexpr absl::Duration kMaxDuration = absl::Hours(24);

std::string EnvironmentName(const std::string& flag) {
  std::string name = "WINDOWKV_" + flag;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return name;
}

// Throws what CLI11 takes for bad usage.
absl::Duration DurationOf(const std::string& flag, const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration() ||
      duration == absl::InfiniteDuration()) {
    throw CLI::ValidationError(
        flag, absl::StrCat("expected a duration such as 30s or 1m30s, found \"", text, "\""));
  }
  if (duration > kMaxDuration) {
    throw CLI::ValidationError(flag, absl::StrCat("is ", text, ", must be in [0s, ",
                                                  absl::FormatDuration(kMaxDuration), "]"));
  }
  return duration;
}

absl::Status CheckKeepalive(std::string_view flag, absl::Duration duration) {
  if (duration >= absl::Seconds(1) && duration <= absl::Hours(2)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(flag), " is ", absl::FormatDuration(duration), ", must be in [1s, 2h]"));
}

// CLI11 takes the default for a variable that is empty, in silence.
absl::Status CheckVariables(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const char* value = std::getenv(option->get_envname().c_str());
    if (option->count() > 0 || value == nullptr || *value != 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        option->get_envname(), " is set and empty: unset it for the default, or give --",
        option->get_single_name()));
  }
  return absl::OkStatus();
}

}  // namespace

ServerFlags::ServerFlags(std::string program, std::string description, std::string listen,
                         std::string http)
    : app_(std::move(description), program), listen_(std::move(listen)), http_(std::move(http)) {
  options_.program = std::move(program);
  app_.set_version_flag("--version", absl::StrCat(options_.program, " ", ToAbsl(BuildVersion())));
  app_.set_config(
      "--config", "",
      "File of flags, one `name=value` a line, # begins a comment, within quotes too; flags "
      "come first");
  app_.allow_config_extras(CLI::config_extras_mode::error);
  app_.option_defaults()->always_capture_default();
  app_.add_option("--listen", listen_, "HOST:PORT for gRPC; port 0 takes a free one");
  app_.add_option("--http", http_,
                  "HOST:PORT for /metrics, /livez and /readyz; port 0 takes a free one");
  app_.add_option("--log-level", options_.log_level, "Least severe log lines written")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}));
  AddDuration("--drain-timeout", &options_.drain_timeout,
              "How long running requests may go on after SIGTERM");
  AddDuration("--keepalive-time", &options_.keepalive_time,
              "A client silent for this long is pinged, 1s to 2h");
  AddDuration("--keepalive-timeout", &options_.keepalive_timeout,
              "Its requests are cancelled when the ping is unanswered for this long, 1s to 2h");
  app_.add_option("--max-message-bytes", options_.max_message_bytes,
                  "Longest request message; units such as 16MiB are understood")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(1024, 1 << 30));
  app_.add_option("--connection-memory", options_.connection_memory_bytes,
                  "Memory for messages in transfer and open calls; over it calls are cancelled "
                  "with RESOURCE_EXHAUSTED; units such as 512MiB are understood")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(int64_t{32} << 20, int64_t{1} << 50));
  app_.add_option("--tls-cert", options_.tls.certificate_file,
                  "PEM certificate chain; without it gRPC is plain text");
  app_.add_option("--tls-key", options_.tls.key_file, "PEM private key of --tls-cert");
  app_.add_option("--tls-client-ca", options_.tls.client_ca_file,
                  "PEM authority: only clients with a certificate from it are let in");
}

CLI::Option* ServerFlags::AddDuration(const std::string& name, absl::Duration* value,
                                      const std::string& help) {
  auto parse = [name, value](const std::string& text) { *value = DurationOf(name, text); };
  return app_.add_option_function<std::string>(name, parse, help)
      ->type_name("DURATION")
      ->default_str(absl::FormatDuration(*value));
}

void ServerFlags::AddSlowReaderTimeout(absl::Duration* value) {
  const std::string name = "--slow-reader-timeout";
  auto parse = [name, value](const std::string& text) {
    const absl::Duration parsed = DurationOf(name, text);
    *value = parsed > absl::ZeroDuration() ? parsed : absl::InfiniteDuration();
  };
  app_.add_option_function<std::string>(
          name, parse,
          "A request is cancelled when its client takes no message for this long; 0: never")
      ->type_name("DURATION")
      ->default_str(absl::FormatDuration(*value));
}

std::optional<int> ServerFlags::Parse(int argc, const char* const* argv) {
  for (CLI::Option* option : app_.get_options()) {
    const std::string name = option->get_single_name();
    if (name == "help" || name == "version" || name == "config") continue;
    option->envname(EnvironmentName(name));
  }
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app_.exit(error);  // --help, --version
    std::cerr << options_.program << ": " << error.what() << "\n";
    return kBadUsage;
  }
  if (absl::Status status = CheckVariables(app_); !status.ok()) {
    std::cerr << options_.program << ": " << status.message() << "\n";
    return kBadUsage;
  }
  if (absl::Status status = Validate(); !status.ok()) {
    std::cerr << options_.program << ": " << status.message() << "\n";
    return kBadUsage;
  }
  return std::nullopt;
}

absl::Status ServerFlags::Validate() {
  auto listen = ParseHostPort(listen_);
  if (!listen.ok()) return Annotate(listen.status(), "--listen");
  auto http = ParseHostPort(http_);
  if (!http.ok()) return Annotate(http.status(), "--http");
  WINDOWKV_RETURN_IF_ERROR(CheckKeepalive("--keepalive-time", options_.keepalive_time));
  WINDOWKV_RETURN_IF_ERROR(CheckKeepalive("--keepalive-timeout", options_.keepalive_timeout));
  options_.listen = *std::move(listen);
  options_.http = *std::move(http);
  return absl::OkStatus();
}

}  // namespace windowkv
