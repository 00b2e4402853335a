#include "client/command_line/command.h"

#include <google/protobuf/util/json_util.h>

#include <ostream>

#include "client/command_line/error_line.h"

namespace windowkv::client {

void AddJsonFlag(CLI::App* app, bool* json) {
  app->add_flag("--json", *json, "Print JSON, one object per message")->group("Output");
}

int Fail(const absl::Status& status, const CommandContext& context) {
  if (context.interrupt.cancelled()) {
    context.err << "windowkv: interrupted" << std::endl;
    return kExitInterrupted;
  }
  context.err << "windowkv: " << ErrorLine(status) << std::endl;
  return ExitCodeFor(status);
}

int FailUsage(const absl::Status& status, const CommandContext& context) {
  context.err << "windowkv: " << status.message() << std::endl;
  return kExitBadUsage;
}

std::string JsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  // A script finds free_kv_blocks: 0, not a missing key.
  options.always_print_primitive_fields = true;
  std::string json;
  // Fails only for Any and Struct, which our messages do not have.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return json + "\n";
}

}  // namespace windowkv::client
