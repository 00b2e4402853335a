#ifndef WINDOWKV_CLIENT_COMMAND_LINE_PROMPT_INPUT_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_PROMPT_INPUT_H_

#include <CLI/CLI.hpp>
#include <cstddef>
#include <fstream>
#include <istream>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace windowkv::client {

// Where a prompt comes from: a flag, a file, or standard input.
struct PromptFlags {
  std::string text;
  // "-" is standard input.
  std::string file;
  CLI::Option* text_option = nullptr;  // owned by the CLI::App
  CLI::Option* file_option = nullptr;  // owned by the CLI::App

  bool given() const { return text_option->count() + file_option->count() > 0; }
};

// Adds --prompt and --prompt-file, of which a call takes one.
void AddPromptFlags(CLI::App* app, PromptFlags* flags);

// The longest message that a server can be told to take.
inline constexpr size_t kMaxPromptBytes = size_t{1} << 30;

// The prompt, byte for byte. NOT_FOUND: the file cannot be read. INVALID_ARGUMENT: neither flag
// was given, or the text is not UTF-8, which protobuf strings must be. OUT_OF_RANGE: the file is
// longer than kMaxPromptBytes.
absl::StatusOr<std::string> ReadPrompt(const PromptFlags& flags, std::istream& standard_input);

// The file that `flag` names. NOT_FOUND: it cannot be read.
absl::StatusOr<std::ifstream> OpenInput(const std::string& flag, const std::string& path);
// The whole of the file `path`, or of `standard_input` when it is "-", with the errors of
// ReadPrompt.
absl::StatusOr<std::string> ReadPromptFile(const std::string& path, std::istream& standard_input);

// `in` to its end. NOT_FOUND naming `name`: it cannot be read. OUT_OF_RANGE naming it: there are
// more than `limit` bytes, of which no more are read.
absl::StatusOr<std::string> ReadAll(std::istream& in, const std::string& name, size_t limit);

// INVALID_ARGUMENT naming `what` and the first bad byte when `text` is not UTF-8.
absl::Status CheckUtf8(std::string_view what, std::string_view text);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_PROMPT_INPUT_H_
