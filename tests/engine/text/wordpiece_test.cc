#include "engine/text/wordpiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/text/utf8.h"
#include "tests/engine/text/checkpoint_files.h"
#include "tests/engine/text/unicode_corpus.h"

namespace windowkv {
namespace {

using nlohmann::json;
using testing::HasSubstr;

absl::StatusOr<std::unique_ptr<WordPiece>> LoadLines(const std::vector<std::string>& lines,
                                                     const json& config = {}) {
  const CheckpointDir dir;
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  dir.Write("vocab.txt", text);
  if (!config.is_null()) dir.WriteJson("tokenizer_config.json", config);
  return WordPiece::Load(dir.path());
}

TEST(WordPieceTest, EncodesAsTheReferenceDoes) {
  for (const json& golden : TokenizerGoldens()["wordpiece"]) {
    SCOPED_TRACE(golden["name"]);
    const auto word_piece = golden["vocab"].is_null()
                                ? WordPiece::Load(ClassifierDir())
                                : LoadLines(golden["vocab"].get<std::vector<std::string>>());
    ASSERT_TRUE(word_piece.ok()) << word_piece.status();
    EXPECT_EQ((*word_piece)->lower_cases(), golden["lower_case"]);
    for (const json& entry : golden["texts"]) {
      const std::string text = entry["text"];
      EXPECT_EQ(json((*word_piece)->Encode(text, SpecialTokens::kParse)), entry["ids"]) << text;
      EXPECT_EQ(json((*word_piece)->Encode(text)), entry["ids_as_text"]) << text;
    }
  }
}

TEST(WordPieceTest, EncodesPublicVectorsAsExpected) {
  const std::string dir = FixturePath("wordpiece");
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << dir << " is not there";
  const json expected = ReadJson(dir + "/expected_ids.json");
  for (const std::string name : {"cased", "uncased"}) {
    const auto word_piece = WordPiece::Load(FixturePath("wordpiece/" + name));
    ASSERT_TRUE(word_piece.ok()) << word_piece.status();
    EXPECT_EQ((*word_piece)->lower_cases(), name == "uncased");
    for (const json& entry : expected[name]) {
      std::vector<int32_t> ids = {(*word_piece)->cls_id()};
      const std::string text = entry["text"];
      for (const int32_t id : (*word_piece)->Encode(text, SpecialTokens::kParse)) ids.push_back(id);
      ids.push_back((*word_piece)->sep_id());
      EXPECT_EQ(json(ids), entry["ids"]) << text;
    }
  }
}

// The classifier's vocabulary and the corpus's own characters.
std::vector<std::string> CorpusVocabulary() {
  std::vector<std::string> lines;
  std::istringstream file(ReadText(ClassifierDir() + "/vocab.txt"));
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  std::set<std::string> known(lines.begin(), lines.end());
  UnicodeCorpus::ForEachPiece([&](const std::string& piece) {
    if (known.insert(piece).second) lines.push_back(piece);
  });
  return lines;
}

TEST(WordPieceTest, EncodesRandomUnicodeAsTheReferenceDoes) {
  constexpr uint64_t kOffset = 0xCBF29CE484222325, kPrime = 0x100000001B3;  // FNV-1a
  constexpr int kBlock = 1000;
  const std::vector<std::string> lines = CorpusVocabulary();
  const json golden = ReadJson(SourcePath("tests/golden/data/wordpiece_hashes.json"));
  for (const char* name : {"uncased", "cased"}) {
    const auto word_piece = LoadLines(lines, {{"do_lower_case", std::string(name) == "uncased"}});
    ASSERT_TRUE(word_piece.ok()) << word_piece.status();
    UnicodeCorpus corpus;
    uint64_t hash = kOffset;
    for (int i = 0; i < UnicodeCorpus::kStrings; ++i) {
      const auto special = i % 2 == 0 ? SpecialTokens::kParse : SpecialTokens::kAsText;
      for (const int32_t id : (*word_piece)->Encode(corpus.Next(), special)) {
        hash = (hash ^ static_cast<uint64_t>(id + 1)) * kPrime;
      }
      hash *= kPrime;  // ends a string
      if ((i + 1) % kBlock != 0) continue;
      const std::string expected = golden[name][i / kBlock];
      ASSERT_EQ(absl::StrCat(absl::Hex(hash, absl::kZeroPad16)), expected)
          << name << ", strings " << i + 1 - kBlock << " to " << i;
      hash = kOffset;
    }
  }
}

TEST(WordPieceTest, LoadsTheClassifiersVocabulary) {
  const auto word_piece = WordPiece::Load(ClassifierDir());
  ASSERT_TRUE(word_piece.ok()) << word_piece.status();
  EXPECT_EQ((*word_piece)->vocab_size(), 30522);
  EXPECT_EQ((*word_piece)->unk_id(), 100);
  EXPECT_EQ((*word_piece)->cls_id(), 101);
  EXPECT_EQ((*word_piece)->sep_id(), 102);
  EXPECT_TRUE((*word_piece)->lower_cases());
}

const std::vector<std::string> kCasedLines = {"[UNK]", "[CLS]", "[SEP]", "A",
                                              "a",     "##b",   "é",     "中"};

TEST(WordPieceTest, TakesTheConfigurationsWord) {
  const auto cased = LoadLines(kCasedLines);
  ASSERT_TRUE(cased.ok()) << cased.status();
  EXPECT_FALSE((*cased)->lower_cases());
  EXPECT_EQ((*cased)->Encode("A Ab é"), (std::vector<int32_t>{3, 3, 5, 6}));
  const auto lower = LoadLines(kCasedLines, {{"do_lower_case", true}});
  ASSERT_TRUE(lower.ok()) << lower.status();
  EXPECT_EQ((*lower)->Encode("A Ab"), (std::vector<int32_t>{4, 4, 5}));
  const auto accents = LoadLines(kCasedLines, {{"do_lower_case", true}, {"strip_accents", false}});
  ASSERT_TRUE(accents.ok()) << accents.status();
  EXPECT_EQ((*accents)->Encode("É"), (std::vector<int32_t>{6}));
  const auto together = LoadLines(kCasedLines, {{"tokenize_chinese_chars", false}});
  ASSERT_TRUE(together.ok()) << together.status();
  EXPECT_EQ((*together)->Encode("中中"), (std::vector<int32_t>{0}));
}

TEST(WordPieceTest, ReadsLinesWithCarriageReturns) {
  const auto word_piece = LoadLines({"[UNK]\r", "[CLS]\r", "[SEP]\r", "", "a\r"});
  ASSERT_TRUE(word_piece.ok()) << word_piece.status();
  EXPECT_EQ((*word_piece)->Encode("a"), (std::vector<int32_t>{4}));
}

TEST(WordPieceTest, RefusesAVocabularyWithoutItsMarkers) {
  for (const std::string missing : {"[UNK]", "[CLS]", "[SEP]"}) {
    std::vector<std::string> lines = kCasedLines;
    std::erase(lines, missing);
    const absl::Status status = LoadLines(lines).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("vocab.txt: expected a line " + missing));
  }
}

TEST(WordPieceTest, RefusesMissingAndMalformedFiles) {
  const CheckpointDir dir;
  EXPECT_EQ(WordPiece::Load(dir.path()).status().code(), absl::StatusCode::kNotFound);
  const absl::Status status = LoadLines(kCasedLines, {{"do_lower_case", "no"}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("tokenizer_config.json: do_lower_case: expected true or false"));
}

TEST(WordPieceTest, DropsWhatIsNotUtf8) {
  const auto word_piece = WordPiece::Load(ClassifierDir());
  ASSERT_TRUE(word_piece.ok()) << word_piece.status();
  EXPECT_EQ((*word_piece)->Encode("he\xFFllo\xE2\x82 there"), (*word_piece)->Encode("hello there"));
}

// Words, marks, ideographs, stray bytes and borders of every kind, few or many borders.
std::string RandomText(std::mt19937* random, size_t size, bool borders) {
  const std::vector<std::string> parts = {
      "the",      "Ferry",  "leaves", "é",     "e\u0301", "ﬁ",  "ﬁl",   "가", "\u0301", "\xFF",
      "\xE4\xB8", "\u200b", "x",      "[MASK", " ",       "\n", ",",    "[",  "]",      "中",
      "文",       "[SEP]",  "[MASK]", "...",   "\u3000",  "-",  "\t\t", "漢"};
  const size_t count = borders ? parts.size() : 13;
  std::string text;
  while (text.size() < size) text += parts[(*random)() % count];
  return text;
}

void ExpectTheEndsOfAll(const WordPiece& word_piece, const std::string& text, int32_t limit,
                        int32_t head, SpecialTokens special) {
  const std::vector<int32_t> all = word_piece.Encode(text, special);
  const int32_t tail = limit - head;
  const auto excerpt = word_piece.EncodeEnds(text, limit, head, tail, special);
  std::vector<int32_t> expected = all;
  if (static_cast<int32_t>(all.size()) > limit) {
    expected.assign(all.begin(), all.begin() + head);
    expected.insert(expected.end(), all.end() - tail, all.end());
  }
  EXPECT_EQ(excerpt.ids, expected);
  EXPECT_EQ(excerpt.truncated, static_cast<int32_t>(all.size()) > limit);
  EXPECT_LE(excerpt.head_end, excerpt.tail_begin);
  EXPECT_LE(excerpt.tail_begin, text.size());
}

TEST(WordPieceTest, ReadsBothEndsAsTheWholeTextWouldBeRead) {
  const auto word_piece = WordPiece::Load(ClassifierDir());
  ASSERT_TRUE(word_piece.ok()) << word_piece.status();
  std::mt19937 random(8);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(round);
    const std::string text = RandomText(&random, random() % 30'000, round % 4 != 0);
    const auto special = round % 2 == 0 ? SpecialTokens::kParse : SpecialTokens::kAsText;
    const auto limit = static_cast<int32_t>(random() % 1000);
    const auto head = static_cast<int32_t>(random() % (limit + 1));
    ExpectTheEndsOfAll(**word_piece, text, limit, head, special);
  }
}

TEST(WordPieceTest, ReadsBothEndsOfATextWithVeryLongWords) {
  const auto word_piece = WordPiece::Load(ClassifierDir());
  ASSERT_TRUE(word_piece.ok()) << word_piece.status();
  const std::vector<std::string> parts = {"x", "é",      "\u200b", "\u0301", "\xFF", "가",
                                          "]", "\u3000", "。",     "か",     "$"};
  std::mt19937 random(9);
  for (int round = 0; round < 24; ++round) {
    SCOPED_TRACE(round);
    const std::string& part = parts[static_cast<size_t>(round) % parts.size()];
    std::string text = RandomText(&random, random() % 3000, true);
    const size_t long_part = round == 0 ? 3'000'000 : random() % 200'000;
    while (text.size() < long_part) text += part;
    if (round % 3 != 0) text += RandomText(&random, random() % 3000, true);
    if (round % 3 == 2) text.insert(text.size() / 2, " ");
    for (const int32_t limit : {0, 1, 10, 510}) {
      ExpectTheEndsOfAll(**word_piece, text, limit, limit / 2, SpecialTokens::kAsText);
    }
  }
}

TEST(WordPieceTest, SaysWhichPartsOfTheTextItRead) {
  const auto word_piece = WordPiece::Load(ClassifierDir());
  ASSERT_TRUE(word_piece.ok()) << word_piece.status();
  const auto whole = (*word_piece)->EncodeEnds(" the ferry ", 2, 1, 1);
  EXPECT_EQ(whole.head_end, 11);
  EXPECT_EQ(whole.tail_begin, 11);
  // "cafe\u0301" gives up its accent; a removed mark is no part of the piece.
  const std::string text = " The ferry \u00c9\u200b and cafe\u0301 two ";
  const auto ends = (*word_piece)->EncodeEnds(text, 5, 3, 2);
  EXPECT_TRUE(ends.truncated);
  EXPECT_EQ(text.substr(0, ends.head_end), " The ferry \u00c9");
  EXPECT_EQ(text.substr(ends.tail_begin), "cafe\u0301 two ");
  const auto long_word =
      (*word_piece)->EncodeEnds("a " + std::string(50'000, 'x') + "\u200b b c", 3, 2, 1);
  EXPECT_EQ(long_word.head_end, 50'002);
  const auto nothing = (*word_piece)->EncodeEnds("a b c", 0, 0, 0);
  EXPECT_EQ(nothing.head_end, 0);
  EXPECT_EQ(nothing.tail_begin, 5);
}

TEST(WordPieceTest, KnowsWhichPiecesSayNothingInLatinLetters) {
  const auto word_piece = LoadLines({"[UNK]", "[CLS]", "[SEP]", "the", "##é", "1", "µ", "я", "##中",
                                     "ə", "α", "!", "か", "ﬁ", "𝑥"});
  ASSERT_TRUE(word_piece.ok()) << word_piece.status();
  std::vector<int32_t> unfamiliar;
  for (int32_t id = 0; id < (*word_piece)->vocab_size(); ++id) {
    if ((*word_piece)->IsUnfamiliar(id)) unfamiliar.push_back(id);
  }
  EXPECT_EQ(unfamiliar, (std::vector<int32_t>{0, 7, 8, 10, 12}));
}

TEST(WordPieceTest, KeepsEverythingWhenTheTextJustFits) {
  const auto word_piece = WordPiece::Load(ClassifierDir());
  ASSERT_TRUE(word_piece.ok()) << word_piece.status();
  const auto fits = (*word_piece)->EncodeEnds("a b c d", 4, 1, 1);
  EXPECT_EQ(fits.ids.size(), 4);
  EXPECT_FALSE(fits.truncated);
  const auto cut = (*word_piece)->EncodeEnds("a b c d e", 4, 1, 1);
  EXPECT_EQ(cut.ids, (*word_piece)->Encode("a e"));
  EXPECT_TRUE(cut.truncated);
  EXPECT_TRUE((*word_piece)->EncodeEnds("", 4, 2, 2).ids.empty());
}

}  // namespace
}  // namespace windowkv
