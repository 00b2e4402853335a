#include <windowkv/v1/classifier.pb.h>

#include <memory>
#include <ostream>

#include "absl/strings/str_format.h"
#include "client/client.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/enum_names.h"
#include "client/command_line/error_line.h"
#include "client/command_line/prompt_input.h"

namespace windowkv::client {
namespace {

struct ClassifyFlags {
  ConnectionFlags connection;
  PromptFlags prompt;
  bool json = false;
};

std::string VerdictText(const v1::TaskClassification& verdict) {
  std::string text =
      absl::StrFormat("%s, confidence %.4f\n", EnumName(verdict.task()), verdict.confidence());
  for (const auto& entry : verdict.probabilities()) {
    absl::StrAppendFormat(&text, "  %-14s %.4f\n", EnumName(entry.task()), entry.probability());
  }
  absl::StrAppendFormat(&text, "  %-14s %d%s\n", "tokens read", verdict.tokens_read(),
                        verdict.truncated() ? ", the middle left out" : "");
  return text;
}

int RunClassify(const ClassifyFlags& flags, const CommandContext& context) {
  auto prompt = ReadPrompt(flags.prompt, context.in);
  if (!prompt.ok()) return FailUsage(prompt.status(), context);
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  v1::ClassifyRequest request;
  request.add_texts(*std::move(prompt));
  auto response = (*client)->Classify(request, flags.connection.ToCallOptions(&context.interrupt));
  if (!response.ok()) return Fail(response.status(), context);
  if (flags.json) {
    context.out << JsonLine(*response) << std::flush;
    return kExitDone;
  }
  for (const auto& verdict : response->classifications()) context.out << VerdictText(verdict);
  context.out << std::flush;
  return kExitDone;
}

}  // namespace

void AddClassifyCommand(CLI::App* app, Command* chosen) {
  auto* command = app->add_subcommand(
      "classify", "Ask a classifier whether a prompt looks something up or gathers it");
  auto flags = std::make_shared<ClassifyFlags>();
  AddConnectionFlags(command, kClassifierTarget, "30s", &flags->connection);
  AddJsonFlag(command, &flags->json);
  AddPromptFlags(command, &flags->prompt);
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunClassify(*flags, context); };
  });
}

}  // namespace windowkv::client
