#ifndef WINDOWKV_ENGINE_TEXT_BERT_UNICODE_H_
#define WINDOWKV_ENGINE_TEXT_BERT_UNICODE_H_

#include <utf8proc.h>

#include <cstdint>

namespace windowkv {

// Unicode as transformers' BertTokenizer (tokenizers 0.23) knows it: the categories of version 8,
// canonical decompositions of version 12 and lower case of version 17, where ours are of utf8proc.
// Found by comparing both for every code point.

utf8proc_category_t BertCategory(int32_t code_point);
int32_t BertLowerCase(int32_t code_point);
// The one character that decomposes since.
inline constexpr int32_t kNotDecomposedByBert = 0x11938;

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_BERT_UNICODE_H_
