#ifndef WINDOWKV_CLIENT_COMMAND_LINE_PROGRESS_LINE_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_PROGRESS_LINE_H_

#include <windowkv/v1/generation.pb.h>

#include <ostream>

namespace windowkv::client {

// One line on a terminal that says how far the prompt is read, rewritten in place and wiped before
// the text begins. Shows nothing when not `enabled`. Not thread-safe.
class ProgressLine {
 public:
  ProgressLine(std::ostream* out, bool enabled) : out_(*out), enabled_(enabled) {}

  void OnAccepted(const v1::Accepted& accepted);
  void OnProgress(const v1::Progress& progress);
  void Clear();

 private:
  std::ostream& out_;  // not owned
  const bool enabled_;
  bool shown_ = false;
  int prompt_tokens_ = 0;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_PROGRESS_LINE_H_
