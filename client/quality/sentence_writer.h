#ifndef WINDOWKV_CLIENT_QUALITY_SENTENCE_WRITER_H_
#define WINDOWKV_CLIENT_QUALITY_SENTENCE_WRITER_H_

#include <string>
#include <vector>

#include "client/quality/family.h"
#include "client/seeded_random.h"

namespace windowkv::client {

struct QuestionAnswer {
  std::string question;
  std::string answer;
  // The answer is a word that other sentences use as well, such as a weekday.
  bool common = false;
};

// A sentence and the questions that it alone settles.
struct Fact {
  std::string sentence;
  // The person or town that the questions name.
  std::string subject;
  std::vector<QuestionAnswer> settled;
};

// A line of text and its label, which follows from the noun in it.
struct LabelledExample {
  std::string text;
  std::string label;
};

// Writes the sentences that documents consist of: the language that the demo model was trained on.
// Uses a random source it does not own; not thread-safe.
class SentenceWriter {
 public:
  explicit SentenceWriter(SeededRandom* random) : random_(*random) {}

  // A sentence that settles nothing.
  std::string SmallTalk();
  // A fact about a made-up subject; `family` is one of QuestionFamilies().
  Fact FactOf(Family family);
  // One of any of those families.
  Fact AnyFact();
  // A section title of two words.
  std::string Heading();

  // A rule that gives each noun one of two to four labels: entry i belongs to noun i.
  std::vector<std::string> LabelRule();
  // An example under `rule`, with a noun chosen among all.
  LabelledExample Example(const std::vector<std::string>& rule);

 private:
  std::string Stem();
  std::string Name();
  std::string Town();
  std::string Thing();
  std::string Number();

  Fact Keeper();
  Fact Vault();
  Fact Job();
  Fact Superior();
  Fact Purchase();
  Fact Journey();

  SeededRandom& random_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_QUALITY_SENTENCE_WRITER_H_
