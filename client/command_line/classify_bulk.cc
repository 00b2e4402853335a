#include "client/command_line/classify_bulk.h"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "client/command_line/error_line.h"
#include "client/command_line/json_lines.h"
#include "client/command_line/progress_line.h"
#include "client/command_line/prompt_input.h"
#include "client/command_line/quantity_text.h"
#include "client/command_line/verdict_text.h"

namespace windowkv::client {
namespace {

using Answer = absl::StatusOr<v1::ClassifyStreamResponse>;
using nlohmann::ordered_json;

std::string AnswerLine(ordered_json json, const Answer& answer) {
  if (answer.ok()) {
    json["classification"] = ordered_json::parse(JsonLine(answer->classification()));
    json["model"] = answer->model();
  } else {
    json["error"] = {{"code", absl::StatusCodeToString(answer.status().code())},
                     {"message", answer.status().message()}};
  }
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

// Counts answers while they come, and says at the end what became of them.
class Tally {
 public:
  // No progress is shown where it would stand between the results.
  explicit Tally(const CommandContext& context)
      : context_(context),
        progress_(&context.err, context.err_is_terminal && !context.out_is_terminal) {}

  void Add(const Answer& answer) {
    ++texts_;
    if (!answer.ok()) ++failed_;
    progress_.Show(absl::StrCat(CountText(texts_), " texts classified"));
  }

  // `status`: of the call; `read`: whether all texts could be read.
  int End(const absl::Status& status, bool read) {
    progress_.Clear();
    if (!status.ok()) return Fail(status, context_);
    if (failed_ == 0) return kExitDone;
    context_.err << "windowkv: " << CountText(failed_) << " of " << CountText(texts_)
                 << " texts could not be classified" << std::endl;
    return read ? kExitServerError : kExitBadUsage;
  }

 private:
  const CommandContext& context_;
  ProgressLine progress_;
  int64_t texts_ = 0;
  int64_t failed_ = 0;
};

}  // namespace

int ClassifyLines(std::istream& in, const BulkCall& call) {
  JsonLines lines(&in);
  bool read = true;  // as far as the sending thread has come
  const auto next = [&] {
    std::optional<absl::StatusOr<std::string>> text = lines.Next();
    if (text && !text->ok()) read = false;
    return text;
  };
  Tally tally(call.context);
  absl::Status status =
      call.client.ClassifyStream(next, call.options, [&](int64_t index, const Answer& answer) {
        call.context.out << AnswerLine({{"line", index + 1}}, answer) << std::flush;
        tally.Add(answer);
      });
  if (status.ok() && in.bad()) status = absl::DataLossError("the input cannot be read to its end");
  return tally.End(status, read);
}

int ClassifyFiles(const std::vector<std::string>& files, bool json, const BulkCall& call) {
  const CommandContext& context = call.context;
  // Of each file; 0 where it cannot be read. Does not grow: one thread fills it, another reads.
  std::vector<int64_t> characters(files.size());
  size_t next_file = 0;
  bool read = true;  // as far as the sending thread has come
  const auto next = [&]() -> std::optional<absl::StatusOr<std::string>> {
    if (next_file == files.size()) return std::nullopt;
    const size_t file = next_file++;
    absl::StatusOr<std::string> text = ReadPromptFile(files[file], context.in);
    if (text.ok()) {
      characters[file] = CountCharacters(*text);
    } else {
      read = false;
    }
    return text;
  };
  Tally tally(context);
  const absl::Status status =
      call.client.ClassifyStream(next, call.options, [&](int64_t index, const Answer& answer) {
        const std::string& file = files[static_cast<size_t>(index)];
        if (json) {
          context.out << AnswerLine({{"file", file}}, answer) << std::flush;
        } else if (answer.ok()) {
          context.out << file << ": "
                      << VerdictText(answer->classification(),
                                     characters[static_cast<size_t>(index)], answer->model())
                      << std::flush;
        } else {
          context.err << "windowkv: " << file << ": " << ErrorLine(answer.status()) << std::endl;
        }
        tally.Add(answer);
      });
  return tally.End(status, read);
}

}  // namespace windowkv::client
