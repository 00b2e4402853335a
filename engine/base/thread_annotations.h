#ifndef WINDOWKV_ENGINE_BASE_THREAD_ANNOTATIONS_H_
#define WINDOWKV_ENGINE_BASE_THREAD_ANNOTATIONS_H_

// Clang's thread safety attributes under names of our own; nothing for other compilers. On
// std::mutex (not absl::Mutex), so that ThreadSanitizer sees every lock.
#if defined(__clang__)
#define WINDOWKV_GUARDED_BY(x) __attribute__((guarded_by(x)))
#else
#define WINDOWKV_GUARDED_BY(x)
#endif

#endif  // WINDOWKV_ENGINE_BASE_THREAD_ANNOTATIONS_H_
