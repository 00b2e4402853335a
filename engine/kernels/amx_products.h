#ifndef WINDOWKV_ENGINE_KERNELS_AMX_PRODUCTS_H_
#define WINDOWKV_ENGINE_KERNELS_AMX_PRODUCTS_H_

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <vector>

namespace windowkv {

// Products of sixteen rows of a weight, or keys, with up to sixteen rows of x, or queries, in
// Intel's matrix tiles (AMX): 8,192 multiply-adds an instruction, where a decode step's few rows
// leave vector units behind memory. A column of a tile is one row of x, so rows never meet.

// True when this processor has bfloat16 tiles and the system lets this process use them.
bool HasAmxBfloat16();

constexpr int64_t kAmxRows = 16;   // rows of x in one block
constexpr int64_t kAmxDepth = 32;  // in_features of one tile

// Rows of x, `stride` elements apart, as tiles want them: [blocks of 16 rows][in_features / 2][16]
// pairs, missing rows zero. in_features is a multiple of kAmxDepth.
void PackRowsForAmx(const c10::BFloat16* x, int64_t stride, int64_t rows, int64_t in_features,
                    std::vector<uint32_t>& packed);

// sums[m][n] = weight row m . x row n for the 16 * groups rows of `weight`, `stride` elements
// apart, and one packed block; sums is [groups][16][16]. groups is 1 to 4. With `add` the products
// are added to what sums holds. Between AmxBegin and AmxEnd.
void AmxProducts(const c10::BFloat16* weight, int64_t stride, const uint32_t* packed,
                 int64_t in_features, int64_t groups, float* sums, bool add = false);

// Sets up and releases the calling thread's tiles.
void AmxBegin();
void AmxEnd();

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_AMX_PRODUCTS_H_
