#include "engine/text/beginning_of_text.h"

#include <vector>

#include "engine/base/status.h"

namespace windowkv {
namespace {

constexpr int kMaxNesting = 8;

// The TemplateProcessing members of a post-processor.
absl::Status CollectTemplates(const JsonNode& section, int depth,
                              std::vector<JsonNode>* templates) {
  WINDOWKV_ASSIGN_OR_RETURN(const std::string type, section["type"].String());
  if (type == "ByteLevel") return absl::OkStatus();  // moves offsets, adds nothing
  if (type == "TemplateProcessing") {
    templates->push_back(section);
    return absl::OkStatus();
  }
  if (type != "Sequence") {
    return section["type"].Unsupported("ByteLevel, TemplateProcessing or Sequence");
  }
  const JsonNode members = section["processors"];
  if (!members.is_array()) return members.Expected("an array");
  if (depth == kMaxNesting) return members.Unsupported("at most 8 nested sequences");
  for (size_t i = 0; i < members.size(); ++i) {
    WINDOWKV_RETURN_IF_ERROR(CollectTemplates(members[i], depth + 1, templates));
  }
  return absl::OkStatus();
}

absl::StatusOr<int32_t> Lookup(const JsonNode& entry, const Vocabulary& vocabulary) {
  const std::string* spelling = SpellingOf(entry);
  if (spelling == nullptr) return entry.Expected("a token");
  const std::optional<int32_t> id = vocabulary.Find(*spelling);
  if (!id) return entry.Expected("a token of the vocabulary");
  return *id;
}

// "single" is a list of special tokens and of the text, as {"Sequence": {"id": "A"}}.
absl::StatusOr<std::optional<int32_t>> ReadTemplate(const JsonNode& section,
                                                    const Vocabulary& vocabulary) {
  const JsonNode single = section["single"];
  if (!single.is_array()) return single.Expected("an array");
  std::optional<int32_t> bos;
  bool after_text = false;
  for (size_t i = 0; i < single.size(); ++i) {
    if (!single[i]["Sequence"].is_null()) {
      after_text = true;
      continue;
    }
    const JsonNode special = single[i]["SpecialToken"]["id"];
    if (special.is_null()) return single[i].Expected("a SpecialToken or a Sequence");
    if (after_text || bos) return special.Unsupported("one token before the text and none after");
    WINDOWKV_ASSIGN_OR_RETURN(bos, Lookup(special, vocabulary));
  }
  if (!after_text) return single.Expected("a Sequence in it");
  return bos;
}

}  // namespace

const std::string* SpellingOf(const JsonNode& entry) {
  return entry.is_object() ? entry["content"].string() : entry.string();
}

absl::StatusOr<std::optional<int32_t>> ReadBeginningOfText(const JsonNode& post_processor,
                                                           const JsonNode& config,
                                                           const Vocabulary& vocabulary) {
  std::vector<JsonNode> templates;
  if (!post_processor.is_null()) {
    WINDOWKV_RETURN_IF_ERROR(CollectTemplates(post_processor, 0, &templates));
  }
  if (templates.size() > 1) return post_processor.Unsupported("one TemplateProcessing");
  if (templates.size() == 1) return ReadTemplate(templates[0], vocabulary);
  WINDOWKV_ASSIGN_OR_RETURN(const bool adds, config["add_bos_token"].BoolOr(false));
  if (!adds || config["bos_token"].is_null()) return std::nullopt;
  WINDOWKV_ASSIGN_OR_RETURN(const int32_t bos, Lookup(config["bos_token"], vocabulary));
  return bos;
}

}  // namespace windowkv
