#include <windowkv/v1/classifier.pb.h>

#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/command_line/classify_bulk.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/error_line.h"
#include "client/command_line/prompt_input.h"
#include "client/command_line/verdict_text.h"

namespace windowkv::client {
namespace {

struct ClassifyFlags {
  ConnectionFlags connection;
  std::string prompt;
  std::vector<std::string> files;
  std::string json_lines;
  bool json = false;
  // Owned by the CLI::App.
  CLI::Option* timeout_option = nullptr;
  CLI::Option* prompt_option = nullptr;
};

absl::StatusOr<std::string> OnePrompt(const ClassifyFlags& flags, std::istream& standard_input) {
  if (!flags.files.empty()) return ReadPromptFile(flags.files.front(), standard_input);
  if (absl::Status status = CheckUtf8("the prompt", flags.prompt); !status.ok()) return status;
  return flags.prompt;
}

int ClassifyOne(const ClassifyFlags& flags, Client& client, const CommandContext& context) {
  const auto prompt = OnePrompt(flags, context.in);
  if (!prompt.ok()) return FailUsage(prompt.status(), context);
  v1::ClassifyRequest request;
  request.add_texts(*prompt);
  auto response = client.Classify(request, flags.connection.ToCallOptions(&context.interrupt));
  if (!response.ok()) return Fail(response.status(), context);
  if (flags.json) {
    context.out << JsonLine(*response) << std::flush;
    return kExitDone;
  }
  for (const auto& verdict : response->classifications()) {
    context.out << VerdictText(verdict, CountCharacters(*prompt), response->model());
  }
  context.out << std::flush;
  return kExitDone;
}

int ClassifyMany(const ClassifyFlags& flags, Client& client, const CommandContext& context) {
  BulkCall call = {.client = client,
                   .options = flags.connection.ToCallOptions(&context.interrupt),
                   .context = context};
  // As many texts take as long as they take.
  if (flags.timeout_option->count() == 0) call.options.timeout = absl::InfiniteDuration();
  if (flags.json_lines.empty()) return ClassifyFiles(flags.files, flags.json, call);
  if (flags.json_lines == "-") return ClassifyLines(context.in, call);
  auto file = OpenInput("--jsonl", flags.json_lines);
  if (!file.ok()) return FailUsage(file.status(), context);
  return ClassifyLines(*file, call);
}

int RunClassify(const ClassifyFlags& flags, const CommandContext& context) {
  const bool one = flags.prompt_option->count() > 0 || flags.files.size() == 1;
  if (!one && flags.files.empty() && flags.json_lines.empty()) {
    return FailUsage(absl::InvalidArgumentError("give --prompt, --prompt-file or --jsonl"),
                     context);
  }
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  return one ? ClassifyOne(flags, **client, context) : ClassifyMany(flags, **client, context);
}

void AddInputFlags(CLI::App* command, ClassifyFlags* flags) {
  command->option_defaults()->group("Input (one of them)");
  flags->prompt_option =
      command->add_option("--prompt", flags->prompt, "The prompt")->type_name("TEXT");
  auto* files = command
                    ->add_option("--prompt-file", flags->files,
                                 "Files that hold a prompt each, at most 1 GiB; - is standard "
                                 "input")
                    ->type_name("FILE ...")
                    ->excludes(flags->prompt_option);
  command
      ->add_option("--jsonl", flags->json_lines,
                   "File with a JSON object on each line, {\"text\": \"...\"}; - is standard "
                   "input. Prints a JSON line for each, in their order, as they are classified")
      ->type_name("FILE")
      ->excludes(flags->prompt_option)
      ->excludes(files);
}

}  // namespace

void AddClassifyCommand(CLI::App* app, Command* chosen) {
  auto* command = app->add_subcommand(
      "classify",
      "Ask a classifier whether prompts look something up or gather it. Of several, one that "
      "cannot be classified is told and the others go on, without --timeout unless it is given");
  auto flags = std::make_shared<ClassifyFlags>();
  AddConnectionFlags(command, kClassifierTarget, "30s", &flags->connection);
  flags->timeout_option = command->get_option("--timeout");
  AddJsonFlag(command, &flags->json);
  AddInputFlags(command, flags.get());
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunClassify(*flags, context); };
  });
}

}  // namespace windowkv::client
