#ifndef WINDOWKV_CLIENT_COMMAND_LINE_CLASSIFY_BULK_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_CLASSIFY_BULK_H_

#include <istream>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/command_line/command.h"

namespace windowkv::client {

// Where a bulk of texts is classified and what comes of it is written. Nothing is owned.
struct BulkCall {
  Client& client;
  CallOptions options;
  const CommandContext& context;
};

// Classifies the texts of JSON lines (json_lines.h). Writes a JSON line for each, in their order
// and as they come: {"line": 1, "classification": {...}, "model": "..."}, or {"line": 1, "error":
// {"code": "...", "message": "..."}} for one that cannot be classified. Returns the exit code,
// which is 2 when there was one because a line cannot be read, else 1 when there was one.
int ClassifyLines(std::istream& in, const BulkCall& call);

// Classifies whole files, "-" being standard input, in the same way: with `json` lines that have
// "file" in the place of "line", else tables for people, and errors on standard error.
int ClassifyFiles(const std::vector<std::string>& files, bool json, const BulkCall& call);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_CLASSIFY_BULK_H_
