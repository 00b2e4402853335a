#ifndef WINDOWKV_CLIENT_COMMAND_LINE_PROGRESS_LINE_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_PROGRESS_LINE_H_

#include <ostream>
#include <string>

namespace windowkv::client {

// One line on a terminal that says how far something is, rewritten in place and wiped before
// results are written. Shows nothing when not `enabled`. Not thread-safe.
class ProgressLine {
 public:
  ProgressLine(std::ostream* out, bool enabled) : out_(*out), enabled_(enabled) {}

  void Show(const std::string& text);
  void Clear();

 private:
  std::ostream& out_;  // not owned
  const bool enabled_;
  bool shown_ = false;
};

// "[#####...............]", full when `share` is 1.
std::string ProgressBar(double share);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_PROGRESS_LINE_H_
