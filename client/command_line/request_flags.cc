#include "client/command_line/request_flags.h"

#include <utility>

#include "client/command_line/cache_flags.h"
#include "client/command_line/enum_names.h"
#include "client/command_line/field_flag.h"
#include "client/command_line/sampling_flags.h"
#include "client/request_prompt.h"

namespace windowkv::client {
namespace {

void AddInputFlags(CLI::App* app, RequestFlags* flags) {
  AddMessageFlags(app, flags);
  v1::GenerateRequest* request = &flags->request;
  AddRepeated<int32_t>(app, "--token-ids", "ID,ID,...",
                       "Prompt as token ids, used as they are; each in [0, vocab_size)",
                       [=](int32_t id) { request->mutable_token_ids()->add_ids(id); })
      ->delimiter(',')
      ->group("Input (one of them)")
      ->excludes(flags->prompt.text_option)
      ->excludes(flags->prompt.file_option)
      ->excludes(app->get_option("--chat"));
  AddField<std::string>(app, "--request-id", "TEXT",
                        "Name on every log line; at most 128 bytes, default: the server's choice",
                        [=](const std::string& id) { request->set_request_id(id); })
      ->group("Input");
  AddField<int32_t>(app, "--priority", "INT",
                    "Higher is more urgent, when requests queue; [-100, 100], default 0",
                    [=](int32_t priority) { request->set_priority(priority); })
      ->group("Input");
  AddEnumFlag<v1::Task>(app, "--task", "The prompt's task; default: the router classifies it",
                        [=](v1::Task task) { request->set_task(task); })
      ->group("Input");
}

absl::Status CheckTexts(const RequestFlags& flags) {
  absl::Status status = CheckUtf8("--system", flags.system);
  status.Update(CheckUtf8("--request-id", flags.request.request_id()));
  for (const std::string& stop : flags.request.sampling().stop()) {
    status.Update(CheckUtf8("--stop", stop));
  }
  return status;
}

}  // namespace

void AddMessageFlags(CLI::App* app, RequestFlags* flags) {
  AddPromptFlags(app, &flags->prompt);
  auto* chat =
      app->add_flag("--chat", flags->chat,
                    "The prompt is one user message, rendered by the model's chat template")
          ->group("Input");
  app->add_option("--system", flags->system, "System message before the user's; needs --chat")
      ->type_name("TEXT")
      ->needs(chat)
      ->group("Input");
}

void AddSharedRequestFlags(CLI::App* app, RequestFlags* flags) {
  AddInputFlags(app, flags);
  AddSamplingFlags(app, &flags->request);
  AddCacheFlags(app, &flags->request);
}

void AddRequestFlags(CLI::App* app, RequestFlags* flags) {
  AddSharedRequestFlags(app, flags);
  AddSeedFlag(app, &flags->request);
}

absl::StatusOr<v1::GenerateRequest> BuildRequest(const RequestFlags& flags,
                                                 std::istream& standard_input) {
  absl::StatusOr<v1::GenerateRequest> request = BuildWithoutPrompt(flags);
  if (!request.ok() || request->has_token_ids()) return request;
  if (!flags.prompt_given()) {
    return absl::InvalidArgumentError("give --prompt, --prompt-file or --token-ids");
  }
  absl::StatusOr<std::string> prompt = ReadPrompt(flags.prompt, standard_input);
  if (!prompt.ok()) return prompt.status();
  SetPrompt(*std::move(prompt), &*request);
  return request;
}

absl::StatusOr<v1::GenerateRequest> BuildWithoutPrompt(const RequestFlags& flags) {
  if (absl::Status status = CheckTexts(flags); !status.ok()) return status;
  v1::GenerateRequest request = flags.request;
  if (flags.chat) request.mutable_chat();
  if (!flags.system.empty()) {
    v1::ChatMessage* message = request.mutable_chat()->add_messages();
    message->set_role("system");
    message->set_content(flags.system);
  }
  return request;
}

}  // namespace windowkv::client
