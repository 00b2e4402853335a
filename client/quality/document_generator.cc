#include "client/quality/document_generator.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/quality/sentence_writer.h"
#include "client/seeded_random.h"

namespace windowkv::client {
namespace {

// Shares of sentences that state a fact, one of them for each document: from a few facts in much
// small talk to hardly anything else.
constexpr double kFactShares[] = {0.03, 0.1, 0.3, 0.6, 0.9};
constexpr double kFactShareUnderHeadings = 0.1;
constexpr double kParagraphBreakShare = 0.08;

double TokensOf(const std::string& text, double rate) {
  return rate * static_cast<double>(text.size() + 1);  // with the space before it
}

// Hands out sentences until their tokens are used up.
class SentenceStream {
 public:
  SentenceStream(const TokenRates& rates, double fact_share, SeededRandom* random)
      : rates_(rates), fact_share_(fact_share), random_(*random), writer_(random) {}

  // The next sentence that `fits`; false when less than half of it is left of `*tokens`.
  template <typename Fits>
  bool Next(const Fits& fits, double* tokens, std::string* sentence) {
    bool is_fact = false;
    do {
      is_fact = random_.Chance(fact_share_);
      *sentence = is_fact ? writer_.AnyFact().sentence : writer_.SmallTalk();
    } while (!fits(*sentence));
    const double needed =
        TokensOf(*sentence, is_fact ? rates_.facts : rates_.small_talk) + kParagraphBreakShare;
    if (*tokens < needed / 2) return false;
    *tokens -= needed;
    return true;
  }

 private:
  const TokenRates rates_;
  const double fact_share_;
  SeededRandom& random_;
  SentenceWriter writer_;
};

std::string JoinParagraphs(const std::vector<std::string>& sentences, SeededRandom* random) {
  std::string text;
  for (const std::string& sentence : sentences) {
    if (!text.empty()) absl::StrAppend(&text, random->Chance(kParagraphBreakShare) ? " \n " : " ");
    text += sentence;
  }
  return text;
}

Document MakeFactDocument(Family family, double tokens, const TokenRates& rates,
                          SeededRandom* random) {
  const Fact fact = SentenceWriter(random).FactOf(family);
  const QuestionAnswer& asked = fact.settled[random->Below(fact.settled.size())];
  const auto fits = [&](const std::string& sentence) {
    return !absl::StrContains(sentence, fact.subject) &&
           (asked.common || !absl::StrContains(sentence, asked.answer));
  };
  double left =
      tokens - TokensOf(fact.sentence, rates.facts) - TokensOf(asked.question, rates.facts);
  SentenceStream stream(rates, kFactShares[random->Below(std::size(kFactShares))], random);
  std::vector<std::string> sentences;
  for (std::string sentence; stream.Next(fits, &left, &sentence);) sentences.push_back(sentence);
  const auto place = static_cast<std::ptrdiff_t>(random->Below(sentences.size() + 1));
  sentences.insert(sentences.begin() + place, fact.sentence);
  return {family, JoinParagraphs(sentences, random), asked.question, asked.answer, fact.sentence};
}

Document MakeLabelsDocument(double tokens, const TokenRates& rates, SeededRandom* random) {
  SentenceWriter writer(random);
  const std::vector<std::string> rule = writer.LabelRule();
  LabelledExample asked = writer.Example(rule);
  double left = tokens - TokensOf(asked.text, rates.examples);
  std::vector<std::string> lines;
  while (true) {
    const LabelledExample example = writer.Example(rule);
    lines.push_back(absl::StrCat(example.text, " Type: ", example.label));
    const double needed = TokensOf(lines.back(), rates.examples);
    if (left < needed / 2) break;
    left -= needed;
  }
  lines.pop_back();
  return {Family::kLabels, absl::StrJoin(lines, "\n"), std::move(asked.text),
          std::move(asked.label), ""};
}

Document MakeHeadingsDocument(double tokens, const TokenRates& rates, SeededRandom* random) {
  SentenceWriter writer(random);
  std::vector<std::string> headings;
  const size_t sections = 3 + random->Below(5);
  while (headings.size() < sections) {
    std::string heading = writer.Heading();
    if (std::find(headings.begin(), headings.end(), heading) == headings.end()) {
      headings.push_back(std::move(heading));
    }
  }
  const std::string question = "List the section titles in order.";
  const double whole = tokens - TokensOf(question, rates.small_talk);
  SentenceStream stream(rates, kFactShareUnderHeadings, random);
  const auto anything = [](const std::string&) { return true; };
  std::vector<std::string> parts;
  double left = 0;
  for (const std::string& heading : headings) {
    parts.push_back(absl::StrCat("\n# ", heading, "\n"));
    left += whole / static_cast<double>(sections) - TokensOf(parts.back(), rates.facts);
    for (std::string sentence; stream.Next(anything, &left, &sentence);) parts.push_back(sentence);
  }
  return {Family::kHeadings, absl::StrJoin(parts, " "), question, absl::StrJoin(headings, ", "),
          ""};
}

}  // namespace

absl::StatusOr<DocumentGenerator> DocumentGenerator::Create(Config config) {
  if (config.tokens < kMinTokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("documents of ", config.tokens, " tokens, must have at least ", kMinTokens));
  }
  if (config.families.empty()) return absl::InvalidArgumentError("no family of documents");
  const TokenRates& rates = config.rates;
  if (!(rates.small_talk > 0) || !(rates.facts > 0) || !(rates.examples > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("tokens per character are ", rates.small_talk,
                                                   ", ", rates.facts, " and ", rates.examples,
                                                   ", must be above 0"));
  }
  return DocumentGenerator(std::move(config));
}

Document DocumentGenerator::Make(int index) const {
  const auto number = static_cast<uint64_t>(index);
  SeededRandom random = SeededRandom::ForItem(config_.seed, number);
  const Family family = config_.families[number % config_.families.size()];
  const double tokens = config_.tokens - config_.rates.around_turn;
  switch (family) {
    case Family::kLabels:
      return MakeLabelsDocument(tokens, config_.rates, &random);
    case Family::kHeadings:
      return MakeHeadingsDocument(tokens, config_.rates, &random);
    default:
      return MakeFactDocument(family, tokens, config_.rates, &random);
  }
}

}  // namespace windowkv::client
