#include "engine/runtime/tokenizing_workers.h"

#include <utility>

namespace windowkv {

TokenizingWorkers::TokenizingWorkers(int num_threads, Prepare prepare)
    : prepare_(std::move(prepare)) {
  for (int i = 0; i < num_threads; ++i) threads_.emplace_back([this] { Run(); });
}

TokenizingWorkers::~TokenizingWorkers() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    stopping_ = true;
  }
  work_cv_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void TokenizingWorkers::Add(PendingRequest pending) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    queue_.push_back(std::move(pending));
  }
  work_cv_.notify_one();
}

void TokenizingWorkers::Run() {
  std::unique_lock<std::mutex> lock(mu_);
  while (true) {
    work_cv_.wait(lock, [this]() { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    PendingRequest pending = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    prepare_(std::move(pending));
    lock.lock();
  }
}

}  // namespace windowkv
