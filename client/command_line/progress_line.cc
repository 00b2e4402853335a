#include "client/command_line/progress_line.h"

namespace windowkv::client {
namespace {

constexpr char kEraseLine[] = "\r\x1b[K";

}  // namespace

void ProgressLine::OnAccepted(const v1::Accepted& accepted) {
  prompt_tokens_ = accepted.prompt_tokens();
}

void ProgressLine::OnProgress(const v1::Progress& progress) {
  if (!enabled_) return;
  out_ << kEraseLine << "reading " << prompt_tokens_ << " tokens: layer " << progress.layers_done()
       << " of " << progress.layers_total() << std::flush;
  shown_ = true;
}

void ProgressLine::Clear() {
  if (shown_) out_ << kEraseLine << std::flush;
  shown_ = false;
}

}  // namespace windowkv::client
