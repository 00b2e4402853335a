#include "engine/kernels/amx_products.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cstring>

namespace windowkv {

void PackRowsForAmx(const c10::BFloat16* x, int64_t stride, int64_t rows, int64_t in_features,
                    std::vector<uint32_t>& packed) {
  const int64_t pairs = in_features / 2;
  const int64_t blocks = (rows + kAmxRows - 1) / kAmxRows;
  packed.assign(blocks * pairs * kAmxRows, 0);
  for (int64_t row = 0; row < rows; ++row) {
    uint32_t* column = packed.data() + row / kAmxRows * pairs * kAmxRows + row % kAmxRows;
    const char* source = reinterpret_cast<const char*>(x + row * stride);
    for (int64_t pair = 0; pair < pairs; ++pair) {
      std::memcpy(column + pair * kAmxRows, source + pair * sizeof(uint32_t), sizeof(uint32_t));
    }
  }
}

#if defined(__x86_64__)

namespace {

constexpr int kArchReqXcompPerm = 0x1023;  // arch_prctl: ask for a large register state
constexpr int kXtileData = 18;             // the tiles'

// The palette that the tile instructions take: eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t column_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

}  // namespace

bool HasAmxBfloat16() {
  static const bool has = [] {
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
    const bool bf16 = ((edx >> 22) & 1) != 0;
    const bool tile = ((edx >> 24) & 1) != 0;
    return bf16 && tile && syscall(SYS_arch_prctl, kArchReqXcompPerm, kXtileData) == 0;
  }();
  return has;
}

#define WINDOWKV_TARGET_AMX __attribute__((target("amx-tile,amx-bf16")))

WINDOWKV_TARGET_AMX void AmxBegin() {
  static const TileConfig config;
  _tile_loadconfig(&config);
}

WINDOWKV_TARGET_AMX void AmxEnd() { _tile_release(); }

// Tiles 0 to 3 sum four groups at once, so that one product need not wait for the one before it.
WINDOWKV_TARGET_AMX void AmxProducts(const c10::BFloat16* weight, int64_t stride,
                                     const uint32_t* packed, int64_t in_features, int64_t groups,
                                     float* sums, bool add) {
  const int64_t row_bytes = stride * static_cast<int64_t>(sizeof(c10::BFloat16));
  const int64_t group_elements = kAmxRows * stride;
  if (add) {
    _tile_loadd(0, sums, 64);
    if (groups > 1) _tile_loadd(1, sums + 256, 64);
    if (groups > 2) _tile_loadd(2, sums + 512, 64);
    if (groups > 3) _tile_loadd(3, sums + 768, 64);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t k = 0; k < in_features; k += kAmxDepth) {
    _tile_loadd(4, packed + k / 2 * kAmxRows, 64);
    _tile_loadd(5, weight + k, row_bytes);
    _tile_dpbf16ps(0, 5, 4);
    if (groups < 2) continue;
    _tile_loadd(6, weight + group_elements + k, row_bytes);
    _tile_dpbf16ps(1, 6, 4);
    if (groups < 3) continue;
    _tile_loadd(7, weight + 2 * group_elements + k, row_bytes);
    _tile_dpbf16ps(2, 7, 4);
    if (groups < 4) continue;
    _tile_loadd(5, weight + 3 * group_elements + k, row_bytes);
    _tile_dpbf16ps(3, 5, 4);
  }
  _tile_stored(0, sums, 64);
  if (groups > 1) _tile_stored(1, sums + 256, 64);
  if (groups > 2) _tile_stored(2, sums + 512, 64);
  if (groups > 3) _tile_stored(3, sums + 768, 64);
}

#else

bool HasAmxBfloat16() { return false; }
void AmxBegin() {}
void AmxEnd() {}
void AmxProducts(const c10::BFloat16* weight, int64_t stride, const uint32_t* packed,
                 int64_t in_features, int64_t groups, float* sums, bool add) {}

#endif

}  // namespace windowkv
