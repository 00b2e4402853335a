#include "server/rpc/trace_context.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"

namespace windowkv {
namespace {

constexpr char kTraceParent[] = "traceparent";
constexpr char kTraceState[] = "tracestate";

// version-traceid-parentid-flags: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".
constexpr size_t kVersionDigits = 2;
constexpr size_t kTraceIdDigits = 32;
constexpr size_t kSpanIdDigits = 16;
constexpr size_t kFlagDigits = 2;
constexpr size_t kTraceParentSize = 55;
// What every system hands on. A longer list may be dropped as a whole.
constexpr size_t kMaxTraceStateSize = 512;

// Of the flags, those that we know and may hand on: sampled, and that the trace's id is random.
constexpr int kKnownFlags = 0x03;

// Of a digit that IsLowerHex.
int ValueOf(char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; }

bool IsLowerHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsId(std::string_view text) {
  return IsLowerHex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

struct Parent {
  std::string_view trace_id;
  int flags = 0;
};

std::optional<Parent> Parse(std::string_view text) {
  if (text.size() < kTraceParentSize) return std::nullopt;
  const std::string_view version = text.substr(0, kVersionDigits);
  if (!IsLowerHex(version) || version == "ff") return std::nullopt;
  // A later version may say more behind what we know.
  const bool ends = text.size() == kTraceParentSize;
  if (!ends && (version == "00" || text[kTraceParentSize] != '-')) return std::nullopt;
  const std::string_view trace_id = text.substr(kVersionDigits + 1, kTraceIdDigits);
  const size_t span_at = kVersionDigits + 1 + kTraceIdDigits + 1;
  const size_t flags_at = span_at + kSpanIdDigits + 1;
  if (!IsId(trace_id) || !IsId(text.substr(span_at, kSpanIdDigits))) return std::nullopt;
  const std::string_view flags = text.substr(flags_at, kFlagDigits);
  for (const size_t at : {kVersionDigits, span_at - 1, flags_at - 1}) {
    if (text[at] != '-') return std::nullopt;
  }
  if (!IsLowerHex(flags)) return std::nullopt;
  return Parent{trace_id, ValueOf(flags.back()) & kKnownFlags};
}

// The only value of `key`.
std::optional<std::string_view> Single(const TraceContext::Metadata& metadata, const char* key) {
  if (metadata.count(key) != 1) return std::nullopt;
  const grpc::string_ref value = metadata.find(key)->second;
  return std::string_view(value.data(), value.size());
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

// All values of `tracestate`, which a caller may spread over several; empty when they are too long,
// or when gRPC, which takes them as they come, would abort sending them.
std::string StateOf(const TraceContext::Metadata& metadata) {
  std::string state;
  const auto [begin, end] = metadata.equal_range(kTraceState);
  for (auto it = begin; it != end; ++it) {
    if (!state.empty()) state.push_back(',');
    state.append(it->second.data(), it->second.size());
  }
  return state.size() <= kMaxTraceStateSize && IsPrintable(state) ? state : "";
}

std::string RandomDigits(absl::BitGen& random) {
  // All zeros would be no id.
  const auto id = absl::Uniform<uint64_t>(absl::IntervalClosed, random, 1, UINT64_MAX);
  return absl::StrCat(absl::Hex(id, absl::kZeroPad16));
}

}  // namespace

TraceContext TraceContext::Of(const Metadata& metadata) {
  absl::BitGen random;
  TraceContext trace;
  trace.span_id_ = RandomDigits(random);
  const std::optional<std::string_view> given = Single(metadata, kTraceParent);
  if (const auto parent = given ? Parse(*given) : std::nullopt) {
    trace.trace_id_ = parent->trace_id;
    trace.flags_ = absl::StrCat(absl::Hex(parent->flags, absl::kZeroPad2));
    trace.state_ = StateOf(metadata);
  } else {
    trace.trace_id_ = RandomDigits(random) + RandomDigits(random);
  }
  return trace;
}

void TraceContext::AddTo(grpc::ClientContext* call) const {
  call->AddMetadata(kTraceParent, absl::StrCat("00-", trace_id_, "-", span_id_, "-", flags_));
  if (!state_.empty()) call->AddMetadata(kTraceState, state_);
}

}  // namespace windowkv
