#include <memory>
#include <ostream>
#include <utility>

#include "absl/strings/escaping.h"
#include "client/client.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/error_line.h"
#include "client/command_line/prompt_input.h"
#include "client/command_line/request_flags.h"
#include "client/request_prompt.h"

namespace windowkv::client {
namespace {

struct TokenizeFlags {
  ConnectionFlags connection;
  RequestFlags input;
  bool json = false;
};

int RunTokenize(const TokenizeFlags& flags, const CommandContext& context) {
  auto prompt = ReadPrompt(flags.input.prompt, context.in);
  if (!prompt.ok()) return FailUsage(prompt.status(), context);
  auto input = BuildWithoutPrompt(flags.input);
  if (!input.ok()) return FailUsage(input.status(), context);
  SetPrompt(*std::move(prompt), &*input);
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  v1::TokenizeRequest request;
  if (input->has_chat()) {
    request.mutable_chat()->Swap(input->mutable_chat());
  } else {
    request.mutable_text()->swap(*input->mutable_text());
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
      "tokenize",
      "Show the tokens of a prompt, one per line: id, tab, text with C escapes; "
      "a part of a character is shown as U+FFFD");
  auto flags = std::make_shared<TokenizeFlags>();
  AddConnectionFlags(command, kRouterTarget, "30s", &flags->connection);
  AddJsonFlag(command, &flags->json);
  AddMessageFlags(command, &flags->input);
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunTokenize(*flags, context); };
  });
}

}  // namespace windowkv::client
