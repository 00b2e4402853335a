#include <memory>
#include <ostream>

#include "absl/strings/escaping.h"
#include "client/client.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/error_line.h"
#include "client/command_line/prompt_input.h"

namespace windowkv::client {
namespace {

struct TokenizeFlags {
  ConnectionFlags connection;
  PromptFlags prompt;
  bool chat = false;
  bool json = false;
};

int RunTokenize(const TokenizeFlags& flags, const CommandContext& context) {
  auto prompt = ReadPrompt(flags.prompt, context.in);
  if (!prompt.ok()) return FailUsage(prompt.status(), context);
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  v1::TokenizeRequest request;
  if (flags.chat) {
    v1::ChatMessage* message = request.mutable_chat()->add_messages();
    message->set_role("user");
    message->set_content(*std::move(prompt));
  } else {
    request.set_text(*std::move(prompt));
  }
  auto response = (*client)->Tokenize(request, flags.connection.ToCallOptions(&context.interrupt));
  if (!response.ok()) return Fail(response.status(), context);
  if (flags.json) {
    context.out << JsonLine(*response) << std::flush;
    return kExitDone;
  }
  for (int i = 0; i < response->token_ids_size(); ++i) {
    context.out << response->token_ids(i) << '\t'
                << (i < response->tokens_size() ? absl::Utf8SafeCEscape(response->tokens(i)) : "")
                << '\n';
  }
  context.out << std::flush;
  return kExitDone;
}

}  // namespace

void AddTokenizeCommand(CLI::App* app, Command* chosen) {
  auto* command = app->add_subcommand(
      "tokenize", "Show the tokens of a prompt, one per line: id, tab, text with C escapes");
  auto flags = std::make_shared<TokenizeFlags>();
  AddConnectionFlags(command, kRouterTarget, "30s", &flags->connection);
  AddJsonFlag(command, &flags->json);
  AddPromptFlags(command, &flags->prompt);
  command
      ->add_flag("--chat", flags->chat,
                 "The prompt is one user message, rendered by the model's chat template")
      ->group("Input");
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunTokenize(*flags, context); };
  });
}

}  // namespace windowkv::client
