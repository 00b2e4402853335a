#include "engine/text/bpe_model.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status.h"
#include "engine/text/byte_level.h"
#include "engine/text/utf8.h"

namespace windowkv {
namespace {

constexpr int32_t kNone = -1;

// A merge is written "left right" or ["left", "right"].
absl::StatusOr<std::pair<std::string_view, std::string_view>> MergeParts(const JsonNode& merges,
                                                                         size_t index) {
  // Straight from the array: there are hundreds of thousands, and nodes carry their paths.
  const nlohmann::json& merge = merges.value()[index];
  if (const auto* text = merge.get_ptr<const std::string*>()) {
    const std::string_view view = *text;
    const size_t space = view.find(' ');
    if (space != std::string_view::npos && view.find(' ', space + 1) == std::string_view::npos) {
      return std::pair(view.substr(0, space), view.substr(space + 1));
    }
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
             merge[1].is_string()) {
    return std::pair<std::string_view, std::string_view>(*merge[0].get_ptr<const std::string*>(),
                                                         *merge[1].get_ptr<const std::string*>());
  }
  return merges[index].Expected("two tokens");
}

bool IsAbsent(const JsonNode& node) {
  return node.is_null() || (node.is_string() && node.string()->empty());
}

}  // namespace

absl::StatusOr<BpeModel> BpeModel::Create(const JsonNode& section, const Vocabulary& vocabulary,
                                          bool byte_level) {
  BpeModel model;
  model.byte_level_ = byte_level;
  WINDOWKV_RETURN_IF_ERROR(model.ReadOptions(section, vocabulary));
  WINDOWKV_RETURN_IF_ERROR(model.ReadMerges(section["merges"], vocabulary));
  WINDOWKV_RETURN_IF_ERROR(model.ReadByteIds(section, vocabulary));
  return model;
}

absl::Status BpeModel::ReadOptions(const JsonNode& section, const Vocabulary& vocabulary) {
  // Early files do not write the type; what has merges is BPE.
  const JsonNode type = section["type"];
  if (!type.is_null() && type.value() != "BPE") return type.Unsupported("\"BPE\"");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!IsAbsent(section[key])) return section[key].Unsupported("nothing");
  }
  if (!section["dropout"].is_null() && section["dropout"].value() != 0) {
    return section["dropout"].Unsupported("nothing");
  }
  WINDOWKV_ASSIGN_OR_RETURN(ignore_merges_, section["ignore_merges"].BoolOr(false));
  WINDOWKV_ASSIGN_OR_RETURN(fuse_unknown_, section["fuse_unk"].BoolOr(false));
  const JsonNode unknown = section["unk_token"];
  if (!IsAbsent(unknown)) {
    WINDOWKV_ASSIGN_OR_RETURN(const std::string spelling, unknown.String());
    unknown_id_ = vocabulary.Find(spelling);
    if (!unknown_id_) return unknown.Expected("a token of model.vocab");
  }
  return absl::OkStatus();
}

absl::Status BpeModel::ReadMerges(const JsonNode& section, const Vocabulary& vocabulary) {
  if (!section.is_array()) return section.Expected("an array");
  merges_.reserve(section.size());
  std::string merged;
  for (size_t i = 0; i < section.size(); ++i) {
    WINDOWKV_ASSIGN_OR_RETURN(const auto parts, MergeParts(section, i));
    merged.assign(parts.first).append(parts.second);
    const std::optional<int32_t> left = vocabulary.Find(parts.first);
    const std::optional<int32_t> right = vocabulary.Find(parts.second);
    const std::optional<int32_t> result = vocabulary.Find(merged);
    if (!left || !right) return section[i].Expected("two tokens of model.vocab");
    if (!result) return section[i].Expected("two tokens that together are one of model.vocab");
    merges_.insert_or_assign(Key(*left, *right), Merge{static_cast<uint32_t>(i), *result});
  }
  return absl::OkStatus();
}

absl::Status BpeModel::ReadByteIds(const JsonNode& section, const Vocabulary& vocabulary) {
  WINDOWKV_ASSIGN_OR_RETURN(const bool fallback, section["byte_fallback"].BoolOr(false));
  has_byte_ids_ = byte_level_ || fallback;
  for (int byte = 0; has_byte_ids_ && byte < 256; ++byte) {
    const std::string spelling = byte_level_
                                     ? ByteLevelSpelling(std::string(1, static_cast<char>(byte)))
                                     : absl::StrFormat("<0x%02X>", byte);
    const std::optional<int32_t> id = vocabulary.Find(spelling);
    if (!id && !unknown_id_) {
      return section["vocab"].Expected(
          absl::StrCat("a token for every byte (", spelling, " is missing) or model.unk_token"));
    }
    byte_ids_[byte] = id.value_or(kNone);
  }
  if (!has_byte_ids_ && !unknown_id_) {
    return section["unk_token"].Expected("a token for characters without one of their own");
  }
  return absl::OkStatus();
}

void BpeModel::NeverFromText(const std::vector<bool>& tokens) {
  never_ = tokens;
  absl::erase_if(merges_, [&](const auto& merge) {
    return tokens[static_cast<size_t>(merge.second.merged_id)];
  });
}

std::optional<int32_t> BpeModel::FindInText(std::string_view spelling,
                                            const Vocabulary& vocabulary) const {
  const std::optional<int32_t> id = vocabulary.Find(spelling);
  return id && never_[static_cast<size_t>(*id)] ? std::nullopt : id;
}

void BpeModel::EncodeWord(std::string_view word, const Vocabulary& vocabulary, Scratch* scratch,
                          std::vector<int32_t>* ids) const {
  if (ignore_merges_) {
    const std::optional<int32_t> whole =
        FindInText(byte_level_ ? ByteLevelSpelling(word) : std::string(word), vocabulary);
    if (whole) {
      ids->push_back(*whole);
      return;
    }
  }
  SplitIntoSymbols(word, vocabulary, scratch);
  MergeAll(scratch);
  for (const Scratch::Symbol& symbol : scratch->symbols) {
    if (symbol.id != kNone) ids->push_back(symbol.id);
  }
}

void BpeModel::SplitIntoSymbols(std::string_view word, const Vocabulary& vocabulary,
                                Scratch* scratch) const {
  auto& symbols = scratch->symbols;
  symbols.clear();
  bool after_unknown = false;
  const auto append = [&](int32_t id) {
    symbols.push_back({id, 0, 0});
    after_unknown = false;
  };
  while (!word.empty()) {
    const Utf8Char c = DecodeUtf8(word);
    const std::string_view bytes = word.substr(0, byte_level_ ? 1 : c.length);
    word.remove_prefix(bytes.size());
    const std::optional<int32_t> id = byte_level_ || c.kind != Utf8Char::Kind::kValid
                                          ? std::nullopt
                                          : FindInText(bytes, vocabulary);
    const auto byte_id = [this](char b) { return byte_ids_[static_cast<uint8_t>(b)]; };
    if (id) {
      append(*id);
    } else if (has_byte_ids_ && std::none_of(bytes.begin(), bytes.end(),
                                             [&](char b) { return byte_id(b) == kNone; })) {
      for (const char b : bytes) append(byte_id(b));
    } else {
      AppendUnknown(scratch, &after_unknown);
    }
  }
  const auto count = static_cast<int32_t>(symbols.size());
  for (int32_t i = 0; i < count; ++i) {
    symbols[i].previous = i - 1;
    symbols[i].next = i + 1 < count ? i + 1 : kNone;
  }
}

void BpeModel::AppendUnknown(Scratch* scratch, bool* after_unknown) const {
  if (!*after_unknown || !fuse_unknown_) scratch->symbols.push_back({*unknown_id_, 0, 0});
  *after_unknown = true;
}

void BpeModel::Consider(Scratch* scratch, int32_t left) const {
  const Scratch::Symbol& symbol = scratch->symbols[left];
  if (symbol.next == kNone) return;
  const int32_t right_id = scratch->symbols[symbol.next].id;
  const auto merge = merges_.find(Key(symbol.id, right_id));
  if (merge == merges_.end()) return;
  scratch->heap.push_back({merge->second.rank, left, symbol.id, right_id, merge->second.merged_id});
}

void BpeModel::MergeAll(Scratch* scratch) const {
  auto& symbols = scratch->symbols;
  auto& heap = scratch->heap;
  const auto later = [](const Scratch::Candidate& a, const Scratch::Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  heap.clear();
  for (int32_t i = 0; i < static_cast<int32_t>(symbols.size()); ++i) Consider(scratch, i);
  std::make_heap(heap.begin(), heap.end(), later);
  const auto consider = [&](int32_t left) {
    const size_t before = heap.size();
    Consider(scratch, left);
    if (heap.size() > before) std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Scratch::Candidate best = heap.back();
    heap.pop_back();
    Scratch::Symbol& left = symbols[best.left];
    // A candidate whose symbols have merged otherwise since.
    if (left.id != best.left_id || left.next == kNone) continue;
    Scratch::Symbol& right = symbols[left.next];
    if (right.id != best.right_id) continue;
    left.id = best.merged_id;
    left.next = right.next;
    right.id = kNone;
    if (left.next != kNone) symbols[left.next].previous = best.left;
    if (left.previous != kNone) consider(left.previous);
    consider(best.left);
  }
}

}  // namespace windowkv
