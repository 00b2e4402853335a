#include "client/quality/document_generator.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace windowkv::client {
namespace {

constexpr double kTokensPerCharacter = 0.25;
constexpr TokenRates kRates{.small_talk = kTokensPerCharacter,
                            .facts = kTokensPerCharacter,
                            .examples = kTokensPerCharacter};

DocumentGenerator Generator(uint64_t seed, int tokens, std::vector<Family> families) {
  return *DocumentGenerator::Create(
      {.seed = seed, .tokens = tokens, .families = std::move(families), .rates = kRates});
}

int Occurrences(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(DocumentGeneratorTest, TheSameSeedGivesTheSameDocumentsInAnyOrder) {
  const DocumentGenerator one = Generator(7, 500, AllFamilies());
  const DocumentGenerator other = Generator(7, 500, AllFamilies());
  std::vector<std::string> turns;
  for (int i = 0; i < 16; ++i) turns.push_back(one.Make(i).UserTurn());
  for (int i = 15; i >= 0; --i) EXPECT_EQ(other.Make(i).UserTurn(), turns[static_cast<size_t>(i)]);
}

TEST(DocumentGeneratorTest, WritesTheseWordsOnEveryPlatform) {
  const Document document = Generator(1, 128, {Family::kVault}).Make(0);
  EXPECT_EQ(document.question, "What is the access code for the Wajaton vault?");
  EXPECT_EQ(document.answer, "76580");
}

TEST(DocumentGeneratorTest, SeedsShareNoDocuments) {
  EXPECT_NE(Generator(1, 500, {Family::kJob}).Make(0).text,
            Generator(2, 500, {Family::kJob}).Make(0).text);
  EXPECT_NE(Generator(1, 500, {Family::kJob}).Make(1).text,
            Generator(2, 500, {Family::kJob}).Make(0).text);
}

TEST(DocumentGeneratorTest, OneSentenceAloneSettlesTheQuestion) {
  const DocumentGenerator generator = Generator(3, 4000, QuestionFamilies());
  for (int i = 0; i < 60; ++i) {
    const Document document = generator.Make(i);
    ASSERT_EQ(Occurrences(document.text, document.evidence), 1) << i;
    EXPECT_EQ(Occurrences(document.evidence, document.answer), 1) << document.evidence;
    // Its subject, the two words of a name or the town of a vault, stands nowhere else.
    const size_t subject_at =
        document.family == Family::kVault ? std::string("The access code for the ").size() : 0;
    size_t subject_end = document.evidence.find(' ', subject_at);
    if (subject_at == 0) subject_end = document.evidence.find(' ', subject_end + 1);
    const std::string subject = document.evidence.substr(subject_at, subject_end - subject_at);
    EXPECT_EQ(Occurrences(document.text, subject), 1) << subject;
    EXPECT_EQ(Occurrences(document.question, subject), 1) << document.question;
  }
}

TEST(DocumentGeneratorTest, MadeUpAnswersStandInTheEvidenceOnly) {
  for (const Family family :
       {Family::kKeeper, Family::kVault, Family::kSuperior, Family::kPurchase}) {
    const DocumentGenerator generator = Generator(4, 4000, {family});
    for (int i = 0; i < 10; ++i) {
      const Document document = generator.Make(i);
      EXPECT_EQ(Occurrences(document.text, document.answer), 1) << document.evidence;
    }
  }
}

TEST(DocumentGeneratorTest, IsAsLongAsAskedForToFivePercent) {
  for (const Family family : AllFamilies()) {
    for (const int tokens : {500, 2000, 7800}) {
      for (int i = 0; i < 5; ++i) {
        const std::string turn = Generator(5, tokens, {family}).Make(i).UserTurn();
        EXPECT_NEAR(static_cast<double>(turn.size()) * kTokensPerCharacter, tokens, 0.05 * tokens)
            << FamilyName(family);
      }
    }
  }
}

TEST(DocumentGeneratorTest, LeavesRoomForTheChatTemplate) {
  TokenRates rates = kRates;
  rates.around_turn = 1000;
  const auto generator = DocumentGenerator::Create(
      {.seed = 5, .tokens = 3000, .families = {Family::kJob}, .rates = rates});
  const auto characters = static_cast<double>(generator->Make(0).UserTurn().size());
  EXPECT_NEAR(characters * kTokensPerCharacter, 2000, 100);
}

TEST(DocumentGeneratorTest, TheEvidenceStandsAnywhere) {
  const DocumentGenerator generator = Generator(6, 2000, QuestionFamilies());
  std::map<size_t, int> thirds;
  for (int i = 0; i < 60; ++i) {
    const Document document = generator.Make(i);
    ++thirds[3 * document.text.find(document.evidence) / document.text.size()];
  }
  for (const size_t third : {0u, 1u, 2u}) EXPECT_GT(thirds[third], 8) << third;
}

TEST(DocumentGeneratorTest, TakesTheFamiliesInTurn) {
  const DocumentGenerator generator = Generator(1, 300, {Family::kVault, Family::kHeadings});
  EXPECT_EQ(generator.Make(0).family, Family::kVault);
  EXPECT_EQ(generator.Make(1).family, Family::kHeadings);
  EXPECT_EQ(generator.Make(2).family, Family::kVault);
}

TEST(DocumentGeneratorTest, OneRuleGivesEveryLabel) {
  const Document document = Generator(8, 3000, {Family::kLabels}).Make(0);
  std::vector<std::string> lines = LinesOf(document.text);
  ASSERT_GT(lines.size(), 50u);
  lines.push_back(absl::StrCat(document.question, " Type: ", document.answer));
  std::map<std::string, std::string> rule;
  for (const std::string& line : lines) {
    // Text: A JOB VERB the ADJECTIVE NOUN on DAY. Type: LABEL
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 7; ++i) words >> word;
    const std::string label = line.substr(line.rfind(' ') + 1);
    EXPECT_EQ(rule.try_emplace(word, label).first->second, label) << line;
  }
  EXPECT_EQ(rule.size(), 20u);
}

TEST(DocumentGeneratorTest, ListsTheHeadingsInTheirOrder) {
  const Document document = Generator(9, 2000, {Family::kHeadings}).Make(0);
  std::string headings;
  for (const std::string& line : LinesOf(document.text)) {
    if (line.rfind("# ", 0) == 0) {
      absl::StrAppend(&headings, headings.empty() ? "" : ", ", line.substr(2));
    }
  }
  EXPECT_EQ(document.answer, headings);
  EXPECT_GE(Occurrences(headings, ", "), 2);
}

TEST(DocumentGeneratorTest, RefusesWhatMakesNoDocument) {
  const DocumentGenerator::Config good{.tokens = 500, .families = {Family::kJob}, .rates = kRates};
  EXPECT_TRUE(DocumentGenerator::Create(good).ok());
  DocumentGenerator::Config bad = good;
  bad.tokens = DocumentGenerator::kMinTokens - 1;
  EXPECT_TRUE(absl::IsInvalidArgument(DocumentGenerator::Create(bad).status()));
  bad = good;
  bad.families.clear();
  EXPECT_TRUE(absl::IsInvalidArgument(DocumentGenerator::Create(bad).status()));
  bad = good;
  bad.rates.facts = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(DocumentGenerator::Create(bad).status()));
}

TEST(FamilyTest, NamesLeadBackToTheirFamilies) {
  for (const Family family : AllFamilies()) EXPECT_EQ(FamilyOfName(FamilyName(family)), family);
  EXPECT_FALSE(FamilyOfName("riddles"));
}

}  // namespace
}  // namespace windowkv::client
