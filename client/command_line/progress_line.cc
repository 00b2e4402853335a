#include "client/command_line/progress_line.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace windowkv::client {
namespace {

constexpr char kEraseLine[] = "\r\x1b[K";
constexpr size_t kBarWidth = 20;

}  // namespace

void ProgressLine::Show(const std::string& text) {
  if (!enabled_) return;
  out_ << kEraseLine << text << std::flush;
  shown_ = true;
}

void ProgressLine::Clear() {
  if (shown_) out_ << kEraseLine << std::flush;
  shown_ = false;
}

std::string ProgressBar(double share) {
  const double filled = std::floor(std::clamp(share, 0.0, 1.0) * kBarWidth);
  std::string bar(static_cast<size_t>(filled), '#');
  bar.resize(kBarWidth, '.');
  return "[" + bar + "]";
}

}  // namespace windowkv::client
