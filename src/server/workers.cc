#include "server/workers.h"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

namespace expunge::server {

Workers::Workers(size_t n_threads, size_t most_open)
    : most_open_(most_open), pool_(std::make_unique<boost::asio::thread_pool>(n_threads)) {}

Workers::~Workers() {
  pool_->stop();
  pool_->join();
}

bool Workers::run(std::function<void()> task) {
  if (n_open_.fetch_add(1) >= most_open_) {
    --n_open_;
    return false;
  }
  boost::asio::post(*pool_, [this, task = std::move(task)]() mutable {
    task();
    task = nullptr;  // what it holds ends before it counts as done
    --n_open_;
  });
  return true;
}

}  // namespace expunge::server
