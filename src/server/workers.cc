#include "server/workers.h"

namespace expunge::server {

Workers::Workers(size_t n_threads, size_t most_open) : most_open_(most_open) {
  for (size_t i = 0; i < n_threads; ++i) threads_.emplace_back([this] { loop(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
    waiting_.clear();
  }
  wakes_.notify_all();
  for (std::thread& t : threads_) t.join();
}

bool Workers::run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stops_ || waiting_.size() + n_running_ >= most_open_) return false;
    waiting_.push_back(std::move(task));
  }
  wakes_.notify_one();
  return true;
}

void Workers::loop() {
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wakes_.wait(lock, [&] { return stops_ || !waiting_.empty(); });
      if (stops_) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
      ++n_running_;
    }
    task();
    task = nullptr;
    const std::lock_guard lock(mutex_);
    --n_running_;
  }
}

}  // namespace expunge::server
