#ifndef WINDOWKV_TESTS_FUZZ_FUZZ_TARGETS_H_
#define WINDOWKV_TESTS_FUZZ_FUZZ_TARGETS_H_

#include <string_view>

#include "absl/status/status.h"

namespace windowkv {

// A fuzz target reads any bytes and says which promise of the code was broken; OK when none was.
// Each is run by a libFuzzer program and, over the files of corpus/NAME, by fuzz_corpus_test. The
// comment above its definition says how it reads its input. One thread at a time.
using FuzzFunction = absl::Status(std::string_view input);

FuzzFunction FuzzBertConfig;
FuzzFunction FuzzBpe;
FuzzFunction FuzzChatTemplate;
FuzzFunction FuzzDetokenizer;
FuzzFunction FuzzGenerateRequest;
FuzzFunction FuzzLlamaConfig;
FuzzFunction FuzzSafetensors;
FuzzFunction FuzzSplitPattern;
FuzzFunction FuzzStopChecker;
FuzzFunction FuzzTokenizerFile;
FuzzFunction FuzzWordPiece;

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_FUZZ_FUZZ_TARGETS_H_
