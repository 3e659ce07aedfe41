// A few threads for work that blocks, with a bounded queue.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace expunge::server {

class Workers {
 public:
  Workers(size_t n_threads, size_t most_open);
  ~Workers();  // what has not begun is dropped
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  // False: as many as are allowed run or wait already.
  bool run(std::function<void()> task);

 private:
  void loop();
  const size_t most_open_;
  std::mutex mutex_;
  std::condition_variable wakes_;
  std::deque<std::function<void()>> waiting_;
  size_t n_running_ = 0;
  bool stops_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace expunge::server
