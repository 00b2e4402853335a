#include "engine/text/pre_tokenizer.h"

#include <utility>

#include "absl/strings/str_replace.h"
#include "engine/base/status.h"
#include "engine/text/utf8.h"

namespace windowkv {
namespace {

constexpr int kMaxNesting = 8;

// What ByteLevel with use_regex splits by: GPT-2's expression.
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

absl::StatusOr<SplitPattern> ReadPattern(const JsonNode& node) {
  if (const std::string* literal = node["String"].string()) {
    if (literal->empty()) return node["String"].Expected("a string that is not empty");
    return SplitPattern::Literal(*literal);
  }
  WINDOWKV_ASSIGN_OR_RETURN(const std::string regex, node["Regex"].String());
  absl::StatusOr<SplitPattern> pattern = SplitPattern::Compile(regex);
  if (!pattern.ok()) {
    const absl::Status place = node["Regex"].Expected("an expression that can be run");
    return Annotate(pattern.status(), ToStd(place.message()));
  }
  return pattern;
}

// A stretch of a text and whether the pattern matched it.
struct Part {
  SplitPattern::Span span;
  bool matched;
};

std::vector<Part> PartsOf(const SplitPattern& pattern, bool invert, std::string_view text) {
  std::vector<SplitPattern::Span> matches;
  pattern.FindAll(text, &matches);
  std::vector<Part> parts;
  parts.reserve(matches.size() + 1);
  size_t end = 0;
  for (const SplitPattern::Span& match : matches) {
    if (match.begin > end) parts.push_back({{end, match.begin}, invert});
    parts.push_back({match, !invert});
    end = match.end;
  }
  if (end < text.size()) parts.push_back({{end, text.size()}, invert});
  return parts;
}

}  // namespace

absl::StatusOr<PreTokenizer> PreTokenizer::Create(const JsonNode& section) {
  PreTokenizer pre_tokenizer;
  if (!section.is_null()) WINDOWKV_RETURN_IF_ERROR(pre_tokenizer.Add(section, 0));
  return pre_tokenizer;
}

absl::Status PreTokenizer::Add(const JsonNode& section, int depth) {
  WINDOWKV_ASSIGN_OR_RETURN(const std::string type, section["type"].String());
  if (byte_level_) return section["type"].Unsupported("nothing after ByteLevel");
  if (type == "Split") return AddSplit(section);
  if (type == "ByteLevel") return AddByteLevel(section);
  if (type == "Digits") return AddDigits(section);
  if (type == "Metaspace") return AddMetaspace(section);
  if (type != "Sequence") {
    return section["type"].Unsupported("Split, ByteLevel, Digits, Metaspace or Sequence");
  }
  const JsonNode members = section["pretokenizers"];
  if (!members.is_array()) return members.Expected("an array");
  if (depth == kMaxNesting) return members.Unsupported("at most 8 nested sequences");
  for (size_t i = 0; i < members.size(); ++i) {
    WINDOWKV_RETURN_IF_ERROR(Add(members[i], depth + 1));
  }
  return absl::OkStatus();
}

absl::Status PreTokenizer::AddSplit(const JsonNode& section) {
  WINDOWKV_ASSIGN_OR_RETURN(SplitPattern pattern, ReadPattern(section["pattern"]));
  WINDOWKV_ASSIGN_OR_RETURN(const std::string name, section["behavior"].String());
  WINDOWKV_ASSIGN_OR_RETURN(const bool invert, section["invert"].BoolOr(false));
  Behavior behavior = Behavior::kIsolated;
  if (name == "Removed") {
    behavior = Behavior::kRemoved;
  } else if (name == "MergedWithPrevious") {
    behavior = Behavior::kMergedWithPrevious;
  } else if (name == "MergedWithNext") {
    behavior = Behavior::kMergedWithNext;
  } else if (name == "Contiguous") {
    behavior = Behavior::kContiguous;
  } else if (name != "Isolated") {
    return section["behavior"].Expected(
        "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
  }
  steps_.emplace_back(Split{std::move(pattern), behavior, invert});
  return absl::OkStatus();
}

absl::Status PreTokenizer::AddByteLevel(const JsonNode& section) {
  WINDOWKV_ASSIGN_OR_RETURN(const bool space_prefix, section["add_prefix_space"].BoolOr(true));
  WINDOWKV_ASSIGN_OR_RETURN(const bool use_regex, section["use_regex"].BoolOr(true));
  if (space_prefix) steps_.emplace_back(SpacePrefix{});
  if (use_regex) {
    WINDOWKV_ASSIGN_OR_RETURN(SplitPattern pattern, SplitPattern::Compile(kGpt2Pattern));
    steps_.emplace_back(Split{std::move(pattern), Behavior::kIsolated, false});
  }
  byte_level_ = true;
  return absl::OkStatus();
}

absl::Status PreTokenizer::AddDigits(const JsonNode& section) {
  WINDOWKV_ASSIGN_OR_RETURN(const bool individual, section["individual_digits"].BoolOr(false));
  WINDOWKV_ASSIGN_OR_RETURN(SplitPattern pattern,
                            SplitPattern::Compile(individual ? "\\p{N}" : "\\p{N}+"));
  steps_.emplace_back(Split{std::move(pattern), Behavior::kIsolated, false});
  return absl::OkStatus();
}

absl::Status PreTokenizer::AddMetaspace(const JsonNode& section) {
  Metaspace metaspace;
  WINDOWKV_ASSIGN_OR_RETURN(metaspace.replacement, section["replacement"].String());
  if (metaspace.replacement.empty()) return section["replacement"].Expected("a character");
  const JsonNode scheme = section["prepend_scheme"];
  if (scheme.is_null()) {
    // Files from before there were schemes.
    WINDOWKV_ASSIGN_OR_RETURN(const bool prefix, section["add_prefix_space"].BoolOr(true));
    metaspace.prepend = prefix ? Metaspace::Prepend::kAlways : Metaspace::Prepend::kNever;
  } else if (scheme.value() == "always") {
    metaspace.prepend = Metaspace::Prepend::kAlways;
  } else if (scheme.value() == "first") {
    metaspace.prepend = Metaspace::Prepend::kFirst;
  } else if (scheme.value() == "never") {
    metaspace.prepend = Metaspace::Prepend::kNever;
  } else {
    return scheme.Expected("always, first or never");
  }
  WINDOWKV_ASSIGN_OR_RETURN(const bool split, section["split"].BoolOr(true));
  SplitPattern pattern = SplitPattern::Literal(metaspace.replacement);
  steps_.emplace_back(std::move(metaspace));
  if (split) {
    steps_.emplace_back(Split{std::move(pattern), Behavior::kMergedWithNext, false});
  }
  return absl::OkStatus();
}

void PreTokenizer::Cut(std::string_view text, bool at_start, std::vector<std::string_view>* words,
                       std::deque<std::string>* storage) const {
  Words current;
  Words next;
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    current.clear();
    if (valid > 0) current.push_back(text.substr(0, valid));
    for (const Step& step : steps_) {
      next.clear();
      for (const std::string_view word : current) {
        if (const auto* split = std::get_if<Split>(&step)) {
          Apply(*split, word, &next);
        } else if (const auto* metaspace = std::get_if<Metaspace>(&step)) {
          const bool first = at_start && word.data() == text.data();
          next.push_back(storage->emplace_back(Changed(*metaspace, word, first)));
        } else if (word.front() == ' ') {
          next.push_back(word);
        } else {
          next.push_back(storage->emplace_back(" ").append(word));
        }
      }
      current.swap(next);
    }
    words->insert(words->end(), current.begin(), current.end());
    text.remove_prefix(valid);
    at_start = false;
    if (text.empty()) break;
    const size_t invalid = DecodeUtf8(text).length;
    for (size_t i = 0; i < invalid; ++i) words->push_back(text.substr(i, 1));
    text.remove_prefix(invalid);
  }
}

void PreTokenizer::Apply(const Split& split, std::string_view text, Words* words) {
  const auto word = [text](size_t begin, size_t end) { return text.substr(begin, end - begin); };
  size_t begin = 0;  // of the word that is being put together
  const std::vector<Part> parts = PartsOf(split.pattern, split.invert, text);
  for (size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    const bool last = i + 1 == parts.size();
    bool ends_here = true;
    switch (split.behavior) {
      case Behavior::kRemoved:
        if (part.matched) begin = part.span.end;
        ends_here = !part.matched;
        break;
      case Behavior::kIsolated:
        break;
      case Behavior::kMergedWithPrevious:
        // A match joins the text before it, not another match.
        ends_here = last || part.matched || !parts[i + 1].matched;
        break;
      case Behavior::kMergedWithNext:
        ends_here = last || !part.matched || parts[i + 1].matched;
        break;
      case Behavior::kContiguous:
        ends_here = last || part.matched != parts[i + 1].matched;
        break;
    }
    if (!ends_here) continue;
    words->push_back(word(begin, part.span.end));
    begin = part.span.end;
  }
}

std::string PreTokenizer::Changed(const Metaspace& metaspace, std::string_view text,
                                  bool at_start) {
  std::string changed = absl::StrReplaceAll(ToAbsl(text), {{" ", metaspace.replacement}});
  const bool prepend = metaspace.prepend == Metaspace::Prepend::kAlways ||
                       (metaspace.prepend == Metaspace::Prepend::kFirst && at_start);
  if (prepend && !changed.starts_with(metaspace.replacement)) {
    changed.insert(0, metaspace.replacement);
  }
  return changed;
}

}  // namespace windowkv
