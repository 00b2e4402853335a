#include <c10/util/Exception.h>

#include "engine/kernels/cuda_device.h"
#include "engine/kernels/fill_tokens.h"
#include "engine/kernels/key_mass.h"
#include "engine/kernels/kv_scatter.h"
#include "engine/kernels/paged_attention.h"
#include "engine/kernels/prefill_attention.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/rope.h"
#include "engine/kernels/row_linear_mma.h"
#include "engine/kernels/row_logprobs.h"
#include "engine/kernels/sample_rows.h"
#include "engine/kernels/swiglu.h"
#include "engine/kernels/top_windows.h"
#include "engine/kernels/window_scores.h"

// Stands in for the CUDA kernels in a build without them. No tensor can be on such a device there.
namespace windowkv {
namespace {

[[noreturn]] void Missing() { TORCH_CHECK(false, "this program was built without CUDA"); }

}  // namespace

void RmsNormCuda(const at::Tensor&, const at::Tensor&, float, at::Tensor&) { Missing(); }
void SwiGluCuda(const at::Tensor&, at::Tensor&) { Missing(); }
void RopeAndStoreCuda(const at::Tensor&, const at::Tensor&, const int32_t*, int64_t, int64_t,
                      at::Tensor&, const KvDestination&) {
  Missing();
}
void KvScatterCuda(const at::Tensor&, const at::Tensor&, const KeptPositions&,
                   const std::vector<int32_t>&, at::Tensor&) {
  Missing();
}
void TopWindowsCuda(const WindowTopK&, const at::Tensor&, KeptPositions&) { Missing(); }
LogprobTensors RowLogprobsCuda(const std::vector<ChosenRow>&, const at::Tensor&, int32_t,
                               const at::Tensor&) {
  Missing();
}
void PrefillAttentionCuda(const at::Tensor&, const at::Tensor&, const at::Tensor&, float,
                          at::Tensor&, at::Tensor*) {
  Missing();
}
void PagedAttention::RunCuda(const at::Tensor&, const at::Tensor&, const PagedCaches&, int64_t,
                             float, at::Tensor&) {
  Missing();
}
void RowLogSumExpCuda(const at::Tensor&, const at::Tensor&, float, at::Tensor&) { Missing(); }
void KeyMassCuda(const at::Tensor&, const at::Tensor&, const at::Tensor&, float, at::Tensor&) {
  Missing();
}
void ReduceWindowsCuda(const at::Tensor&, int32_t, WindowReduction, at::Tensor&) { Missing(); }
void RowLinearCuda(const at::Tensor&, const at::Tensor&, const at::Tensor&, Accumulate,
                   at::Tensor&) {
  Missing();
}
bool HasRowLinearMma(const at::Tensor&, const at::Tensor&) { return false; }
void RowLinearMma(const at::Tensor&, const at::Tensor&, const at::Tensor&, Accumulate, bool,
                  at::Tensor&) {
  Missing();
}
at::Tensor SampleRowsCuda(const std::vector<RowSampling>&, const std::vector<LogitEdit>&,
                          at::Tensor&) {
  Missing();
}
void FillTokensCuda(const at::Tensor&, const at::Tensor&, at::Tensor&) { Missing(); }
bool HasPagedAttentionCuda(int64_t, at::ScalarType) { return false; }

int CudaDeviceCount() { return 0; }
void UseCudaDevice(at::Device) { Missing(); }
void SynchronizeCuda() { Missing(); }
int CudaMultiprocessors() { Missing(); }
CudaMemory CudaDeviceMemory(at::Device) { Missing(); }
int64_t CudaHeldBytes(at::Device) { Missing(); }
void ResetCudaPeak(at::Device) { Missing(); }
void ReleaseUnusedCudaMemory() { Missing(); }
std::string CudaDeviceName(at::Device) { Missing(); }

}  // namespace windowkv
