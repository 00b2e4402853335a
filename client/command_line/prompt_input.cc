#include "client/command_line/prompt_input.h"

#include <utf8proc.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace windowkv::client {
namespace {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  absl::StatusOr<std::ifstream> file = OpenInput("--prompt-file", path);
  if (!file.ok()) return file.status();
  return ReadAll(*file, path, kMaxPromptBytes);
}

}  // namespace

absl::StatusOr<std::ifstream> OpenInput(const std::string& flag, const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  // A directory opens, and fails on the first read.
  if (!file || (file.peek(), file.bad() || errno == EISDIR)) {
    return absl::NotFoundError(
        absl::StrCat("cannot read ", flag, " ", path, ": ", std::strerror(errno)));
  }
  file.clear();
  return file;
}

void AddPromptFlags(CLI::App* app, PromptFlags* flags) {
  flags->text_option = app->add_option("--prompt", flags->text, "The prompt")
                           ->type_name("TEXT")
                           ->group("Input (one of them)");
  flags->file_option =
      app->add_option("--prompt-file", flags->file,
                      "File that holds the prompt, at most 1 GiB; - is standard input")
          ->type_name("FILE")
          ->group("Input (one of them)")
          ->excludes(flags->text_option);
}

absl::StatusOr<std::string> ReadPrompt(const PromptFlags& flags, std::istream& standard_input) {
  if (!flags.given()) return absl::InvalidArgumentError("give --prompt or --prompt-file");
  if (flags.file_option->count() > 0) return ReadPromptFile(flags.file, standard_input);
  if (absl::Status status = CheckUtf8("the prompt", flags.text); !status.ok()) return status;
  return flags.text;
}

absl::StatusOr<std::string> ReadPromptFile(const std::string& path, std::istream& standard_input) {
  absl::StatusOr<std::string> text =
      path == "-" ? ReadAll(standard_input, "standard input", kMaxPromptBytes) : ReadFile(path);
  if (!text.ok()) return text;
  if (absl::Status status = CheckUtf8("the prompt", *text); !status.ok()) return status;
  return text;
}

absl::StatusOr<std::string> ReadAll(std::istream& in, const std::string& name, size_t limit) {
  std::string content;
  std::vector<char> chunk(size_t{1} << 16);
  while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || in.gcount() > 0) {
    const auto size = static_cast<size_t>(in.gcount());
    if (size > limit - content.size()) {
      return absl::OutOfRangeError(
          absl::StrCat(name, " is longer than ", limit, " bytes, the most a prompt may have"));
    }
    content.append(chunk.data(), size);
  }
  if (in.bad()) return absl::NotFoundError(absl::StrCat("cannot read ", name));
  return content;
}

absl::Status CheckUtf8(std::string_view what, std::string_view text) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size = static_cast<utf8proc_ssize_t>(text.size());
  for (utf8proc_ssize_t at = 0; at < size;) {
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t length = utf8proc_iterate(bytes + at, size - at, &code_point);
    if (length <= 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(std::string(what), " is not UTF-8 at byte ", at));
    }
    at += length;
  }
  return absl::OkStatus();
}

}  // namespace windowkv::client
