#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/error_line.h"
#include "client/command_line/progress_line.h"
#include "client/command_line/receipt_table.h"
#include "client/command_line/request_flags.h"

namespace windowkv::client {
namespace {

struct GenerateFlags {
  ConnectionFlags connection;
  RequestFlags request;
  bool json = false;
  bool receipt = false;
};

// Writes a stream's messages as they come: text to standard output, the rest to standard error.
class TextWriter {
 public:
  TextWriter(const CommandContext& context, bool receipt)
      : context_(context),
        receipt_(receipt || context.err_is_terminal),
        progress_(&context.err, context.err_is_terminal) {}

  // A stream that ends early leaves the terminal as a finished one does.
  ~TextWriter() { End(); }
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  void Write(const v1::GenerateResponse& message) {
    if (message.has_accepted()) prompt_tokens_ = message.accepted().prompt_tokens();
    if (message.has_progress()) ShowProgress(message.progress());
    if (message.has_chunk()) WriteText(message.chunk().text());
    if (message.has_finished()) {
      End();
      if (receipt_) context_.err << ReceiptTable(message.finished()) << std::flush;
    }
  }

 private:
  void ShowProgress(const v1::Progress& progress) {
    progress_.Show(absl::StrCat("reading ", prompt_tokens_, " tokens: layer ",
                                progress.layers_done(), " of ", progress.layers_total()));
  }

  void WriteText(const std::string& text) {
    if (text.empty()) return;
    progress_.Clear();
    context_.out << text << std::flush;
    in_line_ = text.back() != '\n';
  }

  void End() {
    progress_.Clear();
    if (in_line_ && context_.out_is_terminal) context_.out << std::endl;
    in_line_ = false;
  }

  const CommandContext& context_;
  const bool receipt_;
  ProgressLine progress_;
  int prompt_tokens_ = 0;
  bool in_line_ = false;  // the last character written does not end its line
};

int RunGenerate(const GenerateFlags& flags, const CommandContext& context) {
  auto request = BuildRequest(flags.request, context.in);
  if (!request.ok()) return FailUsage(request.status(), context);
  if (request->sampling().has_logprobs() && !flags.json) {
    return FailUsage(absl::InvalidArgumentError("--logprobs needs --json: text has no place for "
                                                "them"),
                     context);
  }
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  absl::Status status;
  {
    TextWriter writer(context, flags.receipt);
    status = (*client)->Generate(*request, flags.connection.ToCallOptions(&context.interrupt),
                                 [&](const v1::GenerateResponse& message) {
                                   if (flags.json) {
                                     context.out << JsonLine(message) << std::flush;
                                   } else {
                                     writer.Write(message);
                                   }
                                 });
  }
  return status.ok() ? kExitDone : Fail(status, context);
}

}  // namespace

void AddGenerateCommand(CLI::App* app, Command* chosen) {
  auto* command = app->add_subcommand(
      "generate", "Generate text from a prompt; the text goes to standard output as it is made");
  auto flags = std::make_shared<GenerateFlags>();
  AddConnectionFlags(command, kRouterTarget, "10m", &flags->connection);
  AddJsonFlag(command, &flags->json);
  command
      ->add_flag("--receipt", flags->receipt,
                 "Show on standard error what was kept of the KV cache, and times; a terminal "
                 "always does")
      ->group("Output");
  AddRequestFlags(command, &flags->request);
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunGenerate(*flags, context); };
  });
}

}  // namespace windowkv::client
