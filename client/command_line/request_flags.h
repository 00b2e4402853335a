#ifndef WINDOWKV_CLIENT_COMMAND_LINE_REQUEST_FLAGS_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_REQUEST_FLAGS_H_

#include <windowkv/v1/generation.pb.h>

#include <CLI/CLI.hpp>
#include <istream>
#include <string>

#include "absl/status/statusor.h"
#include "client/command_line/prompt_input.h"

namespace windowkv::client {

// The flags that say what to generate from what, and how. Options carry the proto fields' names.
struct RequestFlags {
  PromptFlags prompt;
  bool chat = false;
  std::string system;
  // Everything but the prompt. Flags write here while they are parsed, so an absent flag leaves
  // its field unset and the server's default in force; ranges are the server's to check.
  v1::GenerateRequest request;

  bool prompt_given() const { return prompt.given() || request.has_token_ids(); }
};

// Adds the flags to `app`. `flags` must outlive the parse and keep its address.
void AddRequestFlags(CLI::App* app, RequestFlags* flags);
// The same for many requests, each of which has a seed of its own.
void AddSharedRequestFlags(CLI::App* app, RequestFlags* flags);

// Of them only those that say from which text or messages.
void AddMessageFlags(CLI::App* app, RequestFlags* flags);

// The request to send. Errors of ReadPrompt and BuildWithoutPrompt.
absl::StatusOr<v1::GenerateRequest> BuildRequest(const RequestFlags& flags,
                                                 std::istream& standard_input);
// The same where no prompt was given: with --chat the messages before it. INVALID_ARGUMENT: a text
// is not UTF-8.
absl::StatusOr<v1::GenerateRequest> BuildWithoutPrompt(const RequestFlags& flags);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_REQUEST_FLAGS_H_
