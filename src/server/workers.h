// A few threads for work that blocks, of which only so much may wait.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

namespace boost::asio {
class thread_pool;
}

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
  const size_t most_open_;
  std::atomic<size_t> n_open_ = 0;
  std::unique_ptr<boost::asio::thread_pool> pool_;
};

}  // namespace expunge::server
