#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/kv_cache/kv_cache_manager.h"
#include "engine/kv_cache/kv_cache_store.h"
#include "engine/model/llama_model.h"
#include "tests/engine/weights/test_files.h"
#include "tests/testing/window_kv_config.h"

// What reading a prompt of 32,000 tokens really takes: the receipt against the allocator's count,
// that against the pool's resident pages, and the process's peak against the sum of what may be
// alive at once.

namespace windowkv {
namespace {

constexpr int32_t kLayers = 3;
constexpr int32_t kHidden = 32;
constexpr int32_t kIntermediate = 64;
constexpr int32_t kHeads = 2;  // each with keys and values of its own
constexpr int32_t kHeadDim = 64;
constexpr int32_t kVocabulary = 64;
constexpr int32_t kContext = 32768;

constexpr int32_t kPromptTokens = 32000;
constexpr int32_t kBudget = 512;
constexpr int32_t kMaxTokens = 40;
constexpr int32_t kBlockSize = 16;
constexpr int32_t kChunkRows = 512;
constexpr int64_t kPoolBytes = int64_t{64} << 20;

constexpr int64_t kFloatBytes = sizeof(float);
// One layer's keys and values of the prompt.
constexpr int64_t kLayerBytes = 2 * kFloatBytes * kPromptTokens * kHeads * kHeadDim;
// Buffers of the libraries' products and allocators, and the kernel's rounding of its counts.
constexpr int64_t kSlackBytes = int64_t{4} << 20;
static_assert(kSlackBytes < kLayerBytes / 4, "a layer's scratch must stand out");

// The most that may be alive while a prompt is read, besides its KV blocks.
constexpr int64_t ActivationBytes() {
  constexpr int64_t kWidth = int64_t{kHeads} * kHeadDim;
  // The residual stream, token ids and positions.
  constexpr int64_t kState = kPromptTokens * (kHidden + 2) * kFloatBytes;
  constexpr int64_t kProject = kChunkRows * (kHidden + 4 * kWidth + 4) * kFloatBytes;
  constexpr int64_t kFinish = kChunkRows * (kWidth + kHidden + 3 * kIntermediate) * kFloatBytes;
  constexpr int64_t kScores = kPromptTokens * kHeads * kFloatBytes;
  return kState + std::max({kProject, kFinish, kScores});
}

void WriteModel(const std::string& dir) {
  WriteFile(
      dir + "/config.json",
      absl::StrCat(R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama",)",
                   R"("vocab_size": )", kVocabulary, R"(, "hidden_size": )", kHidden,
                   R"(, "intermediate_size": )", kIntermediate, R"(, "num_hidden_layers": )",
                   kLayers, R"(, "num_attention_heads": )", kHeads, R"(, "num_key_value_heads": )",
                   kHeads, R"(, "head_dim": )", kHeadDim, R"(, "max_position_embeddings": )",
                   kContext, R"(, "tie_word_embeddings": true, "torch_dtype": "float32"})"));
  std::mt19937 random(7);
  std::string header;
  std::string data;
  const auto add = [&](const std::string& name, int64_t rows, int64_t columns) {
    const size_t begin = data.size();
    for (int64_t i = 0; i < rows * std::max<int64_t>(columns, 1); ++i) {
      const float value = static_cast<float>(random() % 2001) / 5000 - 0.2f;
      data.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    const std::string shape = columns == 0 ? absl::StrCat(rows) : absl::StrCat(rows, ",", columns);
    absl::StrAppend(&header, header.empty() ? "{" : ",", "\"", name,
                    R"(":{"dtype":"F32","shape":[)", shape, R"(],"data_offsets":[)", begin, ",",
                    data.size(), "]}");
  };
  add("model.embed_tokens.weight", kVocabulary, kHidden);
  add("model.norm.weight", kHidden, 0);
  for (int32_t i = 0; i < kLayers; ++i) {
    const std::string layer = absl::StrCat("model.layers.", i);
    for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
      add(absl::StrCat(layer, ".self_attn.", name, ".weight"), kHeads * kHeadDim, kHidden);
    }
    add(layer + ".self_attn.o_proj.weight", kHidden, kHeads * kHeadDim);
    add(layer + ".mlp.gate_proj.weight", kIntermediate, kHidden);
    add(layer + ".mlp.up_proj.weight", kIntermediate, kHidden);
    add(layer + ".mlp.down_proj.weight", kHidden, kIntermediate);
    add(layer + ".input_layernorm.weight", kHidden, 0);
    add(layer + ".post_attention_layernorm.weight", kHidden, 0);
  }
  WriteFile(dir + "/model.safetensors", SafetensorsBytes(header + "}", data));
}

// A line of /proc/self/status, in bytes; 0 when it is not there.
int64_t StatusBytes(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

// Makes what is resident now the peak.
bool ResetPeak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

// The pool's pages, by the kernel's word. A block need not start on a page: neighbours share one.
class PoolPages {
 public:
  explicit PoolPages(KvCacheStore& store)
      : page_(sysconf(_SC_PAGESIZE)), block_bytes_(store.geometry().block_bytes) {
    const auto begin = reinterpret_cast<uintptr_t>(store.pool().const_data_ptr());
    offset_ = static_cast<int64_t>(begin % static_cast<uintptr_t>(page_));
    first_page_ = reinterpret_cast<void*>(begin - static_cast<uintptr_t>(offset_));
    const int64_t bytes = offset_ + static_cast<int64_t>(store.pool().nbytes());
    count_ = (bytes + page_ - 1) / page_;
  }

  // The allocator's own notes may lie before and behind the pool, on its first and last page.
  void ExpectResidentAreOnlyBlocksOf(const SequenceKvCache& cache) const {
    std::vector<unsigned char> resident(static_cast<size_t>(count_));
    ASSERT_EQ(mincore(first_page_, static_cast<size_t>(count_ * page_), resident.data()), 0);
    std::vector<char> may(resident.size());
    std::vector<char> must(resident.size());
    may.front() = may.back() = 1;
    for (int32_t layer = 0; layer < cache.num_layers(); ++layer) {
      const std::vector<int32_t>& blocks = cache.blocks(layer);
      const size_t full = static_cast<size_t>(cache.cached_length(layer) / kBlockSize);
      for (size_t i = 0; i < blocks.size(); ++i) {
        Mark(blocks[i], may);
        if (i < full) Mark(blocks[i], must);  // every slot has been written
      }
    }
    int64_t outside = 0;
    int64_t missing = 0;
    for (size_t i = 0; i < resident.size(); ++i) {
      outside += (resident[i] & 1) != 0 && may[i] == 0 ? 1 : 0;
      missing += (resident[i] & 1) == 0 && must[i] != 0 ? 1 : 0;
    }
    EXPECT_EQ(outside, 0) << "pages are resident that no block of the sequence lies on";
    EXPECT_EQ(missing, 0) << "pages of written blocks are not resident";
  }

 private:
  void Mark(int32_t block, std::vector<char>& pages) const {
    const int64_t begin = offset_ + block * block_bytes_;
    for (int64_t page = begin / page_; page <= (begin + block_bytes_ - 1) / page_; ++page) {
      pages[static_cast<size_t>(page)] = 1;
    }
  }

  int64_t page_;
  int64_t block_bytes_;
  int64_t offset_ = 0;  // of the pool in its first page
  void* first_page_ = nullptr;
  int64_t count_ = 0;
};

class PrefillMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer's own memory hides the model's";
#endif
    if (!ResetPeak()) GTEST_SKIP() << "/proc/self/clear_refs cannot be written";
    if (StatusBytes("VmHWM") == 0) GTEST_SKIP() << "/proc/self/status does not tell the peak";
    // Huge pages would make memory resident that nobody wrote.
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) GTEST_SKIP() << "huge pages cannot be disabled";
    // Large tensors come from the kernel and go back to it, whatever was freed before them.
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    at::set_num_threads(2);
    const std::string dir = FreshTestDir();
    WriteModel(dir);
    absl::StatusOr<LlamaConfig> config = LoadLlamaConfig(dir);
    ASSERT_TRUE(config.ok()) << config.status();
    absl::StatusOr<LlamaModel> model = LlamaModel::Load(dir, *config, at::kFloat);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = std::make_unique<LlamaModel>(*std::move(model));
    Pool warm = MakePool();
    Read(warm, 2 * kChunkRows, /*extra_bytes=*/0);  // threads and the libraries' buffers
  }

  struct Pool {
    KvCacheStore store;
    KvCacheManager manager;
    std::optional<SequenceKvCache> cache;
  };

  static Pool MakePool() {
    KvCacheStore store =
        *KvCacheStore::Create({kLayers, kHeads, kHeadDim, kBlockSize, kPoolBytes, at::kFloat});
    KvCacheManager manager(store.geometry());
    return {std::move(store), std::move(manager), std::nullopt};
  }

  // `extra_bytes` are held beside the second layer's scratch: what must not be.
  void Read(Pool& pool, int32_t tokens, int64_t extra_bytes) {
    const CachePlan plan = *pool.manager.Plan(testing::WindowKvConfig(kBudget, /*shared_layers=*/1),
                                              tokens, kMaxTokens);
    pool.cache = pool.manager.Admit(plan);
    std::vector<int32_t> prompt(static_cast<size_t>(tokens));
    for (int32_t i = 0; i < tokens; ++i) prompt[static_cast<size_t>(i)] = i * 7 % kVocabulary;
    std::unique_ptr<char[]> extra;
    PrefillState state = model_->StartPrefill(std::move(prompt), plan);
    for (const PrefillSlice& slice :
         PlanPrefill(model_->config(), tokens, plan.observed, kChunkRows)) {
      if (slice.layer == 1 && extra_bytes > 0 && extra == nullptr) {
        extra.reset(new char[static_cast<size_t>(extra_bytes)]);
        std::memset(extra.get(), 1, static_cast<size_t>(extra_bytes));
      }
      model_->RunPrefillSlice(slice, state, pool.store, *pool.cache);
    }
  }

  struct Growth {
    int64_t peak = 0;  // of the process, while the prompt was read
    int64_t left = 0;  // after it
  };
  Growth ReadLongPrompt(Pool& pool, int64_t extra_bytes) {
    malloc_trim(0);
    EXPECT_TRUE(ResetPeak());
    const int64_t before = StatusBytes("VmRSS");
    Read(pool, kPromptTokens, extra_bytes);
    const int64_t peak = StatusBytes("VmHWM") - before;
    malloc_trim(0);
    return {peak, StatusBytes("VmRSS") - before};
  }

  static int64_t HeldBytes(const Pool& pool) {
    return pool.manager.allocator().taken() * pool.store.geometry().block_bytes;
  }
  static int64_t PeakBound(const Pool& pool) {
    return HeldBytes(pool) + kLayerBytes + ActivationBytes() + kSlackBytes;
  }

  std::unique_ptr<LlamaModel> model_;
};

TEST_F(PrefillMemoryTest, ALongPromptTakesItsBlocksAndOneLayersKeysAndValuesWhileItIsRead) {
  Pool pool = MakePool();
  const PoolPages pages(pool.store);
  const Growth growth = ReadLongPrompt(pool, /*extra_bytes=*/0);

  const Receipt receipt = pool.manager.MakeReceipt(*pool.cache, /*echo_kept_ranges=*/false);
  EXPECT_EQ(receipt.bytes_kept, HeldBytes(pool));
  EXPECT_EQ(receipt.bytes_full, kLayers * kLayerBytes);
  EXPECT_LT(receipt.bytes_kept * 50, receipt.bytes_full);
  EXPECT_LE(receipt.bytes_prefill_peak, receipt.bytes_kept + kLayerBytes);

  pages.ExpectResidentAreOnlyBlocksOf(*pool.cache);
  EXPECT_LE(growth.left, HeldBytes(pool) + kSlackBytes);

  EXPECT_LE(growth.peak, PeakBound(pool));
  // The bound is so close that a copy of the keys alone would show.
  EXPECT_GT(growth.peak + kLayerBytes / 2, PeakBound(pool));

  for (int32_t i = 0; i < kMaxTokens; ++i) {
    model_->Decode({{5, kPromptTokens + i, &*pool.cache}}, pool.store);
  }
  pages.ExpectResidentAreOnlyBlocksOf(*pool.cache);
}

TEST_F(PrefillMemoryTest, ASecondLayersScratchWouldExceedTheBound) {
  Pool pool = MakePool();
  const Growth growth = ReadLongPrompt(pool, /*extra_bytes=*/kLayerBytes);
  EXPECT_GT(growth.peak, PeakBound(pool));
}

}  // namespace
}  // namespace windowkv
