#include "engine/text/bpe_tokenizer.h"

#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "engine/base/status.h"
#include "engine/text/beginning_of_text.h"

namespace windowkv {
namespace {

// Longer words rarely repeat.
constexpr size_t kMaxRememberedWord = 64;

}  // namespace

// What one call works with.
struct BpeTokenizer::EncodeState {
  struct Slice {
    size_t begin;
    size_t end;
  };
  std::vector<int32_t> ids;
  // Where in `ids` a word of this text stands already; a document repeats most of its words.
  absl::flat_hash_map<absl::string_view, Slice> seen;
  // Texts that words point into, because they differ from the caller's.
  std::deque<std::string> storage;
  std::vector<std::string_view> words;
  BpeModel::Scratch scratch;
};

absl::StatusOr<std::unique_ptr<BpeTokenizer>> BpeTokenizer::Create(const JsonNode& file,
                                                                   const JsonNode& config) {
  auto tokenizer = std::unique_ptr<BpeTokenizer>(new BpeTokenizer);
  const JsonNode model = file["model"];
  if (!model.is_object()) return model.Expected("an object");
  // Before the vocabulary, whose shape depends on it.
  if (!model["type"].is_null() && model["type"].value() != "BPE") {
    return model["type"].Unsupported("\"BPE\"");
  }
  WINDOWKV_ASSIGN_OR_RETURN(tokenizer->normalizer_, Normalizer::Create(file["normalizer"]));
  WINDOWKV_ASSIGN_OR_RETURN(tokenizer->pre_tokenizer_, PreTokenizer::Create(file["pre_tokenizer"]));
  WINDOWKV_ASSIGN_OR_RETURN(tokenizer->decoder_, TokenDecoder::Create(file["decoder"]));
  const bool byte_level = tokenizer->pre_tokenizer_.byte_level();
  if (byte_level != tokenizer->decoder_.byte_level()) {
    return file["decoder"]["type"].Unsupported("ByteLevel if and only if the pre_tokenizer is");
  }
  WINDOWKV_ASSIGN_OR_RETURN(tokenizer->vocabulary_, Vocabulary::Create(model["vocab"]));
  WINDOWKV_ASSIGN_OR_RETURN(tokenizer->model_,
                            BpeModel::Create(model, tokenizer->vocabulary_, byte_level));
  WINDOWKV_RETURN_IF_ERROR(tokenizer->AddTokens(file["added_tokens"]));
  WINDOWKV_ASSIGN_OR_RETURN(tokenizer->bos_id_, ReadBeginningOfText(file["post_processor"], config,
                                                                    tokenizer->vocabulary_));
  return tokenizer;
}

absl::Status BpeTokenizer::AddTokens(const JsonNode& section) {
  WINDOWKV_ASSIGN_OR_RETURN(std::vector<AddedToken> tokens, ReadAddedTokens(section));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const absl::Status added = vocabulary_.Add(tokens[i].content, tokens[i].id);
    if (!added.ok()) {
      return Annotate(added, ToStd(section[i].Expected("one id per token").message()));
    }
  }
  special_.resize(static_cast<size_t>(vocabulary_.size()));
  ReadTokenBytes();
  for (AddedToken& token : tokens) {
    // Added tokens are spelled in characters, whatever the vocabulary.
    token_bytes_[static_cast<size_t>(token.id)] = token.content;
    if (token.special) special_[static_cast<size_t>(token.id)] = true;
    if (token.normalized) {
      token.content = normalizer_.Apply(token.content);
      normalized_finder_.Add(token);
    } else {
      raw_finder_.Add(token);
    }
  }
  model_.NeverFromText(special_);
  return absl::OkStatus();
}

void BpeTokenizer::ReadTokenBytes() {
  token_bytes_.resize(static_cast<size_t>(vocabulary_.size()));
  for (int32_t id = 0; id < vocabulary_.size(); ++id) {
    token_bytes_[static_cast<size_t>(id)] = decoder_.Decode(vocabulary_.Spelling(id));
  }
}

std::vector<int32_t> BpeTokenizer::Encode(std::string_view text, SpecialTokens special) const {
  EncodeState state;
  bool at_start = true;
  for (const AddedTokenFinder::Segment& segment : raw_finder_.Cut(text, special)) {
    if (segment.id) {
      state.ids.push_back(*segment.id);
    } else {
      EncodeSegment(segment.text, special, at_start, &state);
    }
    at_start = false;
  }
  return std::move(state.ids);
}

void BpeTokenizer::EncodeSegment(std::string_view text, SpecialTokens special, bool at_start,
                                 EncodeState* state) const {
  if (!normalizer_.changes_nothing()) {
    text = state->storage.emplace_back(normalizer_.Apply(text));
  }
  if (normalized_finder_.empty()) {
    EncodeWords(text, at_start, state);
    return;
  }
  for (const AddedTokenFinder::Segment& segment : normalized_finder_.Cut(text, special)) {
    if (segment.id) {
      state->ids.push_back(*segment.id);
    } else {
      EncodeWords(segment.text, at_start, state);
    }
    at_start = false;
  }
}

void BpeTokenizer::EncodeWords(std::string_view text, bool at_start, EncodeState* state) const {
  state->words.clear();
  pre_tokenizer_.Cut(text, at_start, &state->words, &state->storage);
  std::vector<int32_t>& ids = state->ids;
  for (const std::string_view word : state->words) {
    const size_t begin = ids.size();
    if (word.size() > kMaxRememberedWord) {
      model_.EncodeWord(word, vocabulary_, &state->scratch, &ids);
      continue;
    }
    const auto [entry, is_new] = state->seen.try_emplace(ToAbsl(word));
    if (is_new) {
      model_.EncodeWord(word, vocabulary_, &state->scratch, &ids);
      entry->second = {begin, ids.size()};
    } else {
      const EncodeState::Slice slice = entry->second;
      for (size_t i = slice.begin; i < slice.end; ++i) ids.push_back(ids[i]);
    }
  }
}

std::string BpeTokenizer::TokenBytes(int32_t id) const {
  if (id < 0 || id >= vocab_size()) return {};
  return token_bytes_[static_cast<size_t>(id)];
}

bool BpeTokenizer::IsSpecial(int32_t id) const {
  return id >= 0 && id < vocab_size() && special_[static_cast<size_t>(id)];
}

std::optional<int32_t> BpeTokenizer::IdOf(std::string_view token) const {
  return vocabulary_.Find(token);
}

}  // namespace windowkv
