#ifndef WINDOWKV_TESTS_ENGINE_KERNELS_ONE_THREAD_H_
#define WINDOWKV_TESTS_ENGINE_KERNELS_ONE_THREAD_H_

#include <ATen/Parallel.h>

namespace windowkv {

// Keeps LibTorch on the calling thread while it lives: small references cost more to hand out than
// to compute, above all on a busy machine.
class OneThread {
 public:
  OneThread() { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(former_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int former_ = at::get_num_threads();
};

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_KERNELS_ONE_THREAD_H_
