// A small mutating fuzzer that needs no particular compiler; it is useful under the sanitizers.
//
//   fuzz_gguf [--runs N | --seconds S] [--seed S]
//
// Input n depends on the seed and on what was accepted before, so `--seed S --runs n+1` repeats it.
// Accepted mutants join the pool, which replaces coverage feedback.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <random>

#include "fuzz/fuzz.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
// A length taken on trust shows as a huge allocation.
extern "C" const char* __asan_default_options() { return "max_allocation_size_mb=256"; }
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }
#endif

namespace expunge::fuzz {
namespace {

constexpr size_t kMaxInput = 1 << 16, kMaxPool = 256;
constexpr unsigned kHang_s = 20;

uint64_t g_seed = 1, g_run = 0;

void say_where() {
  std::array<char, 128> line;
  const int n = std::snprintf(
      line.data(), line.size(), "fuzz: repeat with --seed %llu --runs %llu\n",
      static_cast<unsigned long long>(g_seed), static_cast<unsigned long long>(g_run + 1));
  if (::write(STDERR_FILENO, line.data(), static_cast<size_t>(n)) < 0) _exit(3);
}
void on_signal(int number) {
  const std::string_view what = number == SIGALRM ? "fuzz: hang\n" : "fuzz: crash\n";
  if (::write(STDERR_FILENO, what.data(), what.size()) < 0) _exit(3);
  say_where();
  _exit(1);
}

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : rng_(seed), pool_(seeds()), dictionary_(fuzz::dictionary()) {
    n_seeds_ = pool_.size();
  }

  std::string next() {
    std::string input = pool_[below(pool_.size())];
    for (size_t n = below(6) + (pool_.size() > n_seeds_ ? 0 : 1); n > 0; --n) mutate(input);
    if (input.size() > kMaxInput) input.resize(kMaxInput);
    return input;
  }
  void accept(std::string input) {
    if (pool_.size() < kMaxPool)
      pool_.push_back(std::move(input));
    else
      pool_[n_seeds_ + below(kMaxPool - n_seeds_)] = std::move(input);
  }

 private:
  size_t below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(rng_() % n); }
  struct Range {
    size_t begin, size;
  };
  Range range(const std::string& s) {
    const size_t begin = below(s.size() + 1);
    return {begin, below(std::min<size_t>(s.size() - begin, 64) + 1)};
  }

  void interesting_number(std::string& s) {
    static constexpr std::array<uint64_t, 16> kNumbers = {
        0,          1,          2,          7,          0x7f,       0x80,       0xff,       0x7fff,
        0xffffffff, 0x7fffffff, 0x80000000, 1ULL << 32, 1ULL << 40, 1ULL << 61, 1ULL << 63, ~0ULL};
    const uint64_t number = below(4) == 0 ? s.size() + below(5) - 2 : kNumbers[below(16)];
    const size_t width = size_t{1} << below(4);
    if (s.size() < width) return;
    std::memcpy(s.data() + below(s.size() - width + 1), &number, width);
  }

  void mutate(std::string& s) {
    const Range r = range(s);
    switch (below(10)) {
      case 0:
        if (!s.empty()) s[below(s.size())] ^= static_cast<char>(1 << below(8));
        return;
      case 1:
        if (!s.empty()) s[below(s.size())] = static_cast<char>(rng_());
        return;
      case 2:
      case 3:
        return interesting_number(s);
      case 4:
        if (below(4) == 0) s.resize(below(s.size() + 1));
        return;
      case 5:
        s.erase(r.begin, r.size);
        return;
      case 6:
        s.insert(below(s.size() + 1), s.substr(r.begin, r.size));
        return;
      case 7:
        if (!dictionary_.empty()) s.insert(r.begin, dictionary_[below(dictionary_.size())]);
        return;
      case 8:
        if (!dictionary_.empty())
          s.replace(r.begin, r.size, dictionary_[below(dictionary_.size())]);
        return;
      default: {  // splice
        const std::string& other = pool_[below(pool_.size())];
        s = s.substr(0, r.begin) +
            other.substr(std::min(other.size(), below(4) ? r.begin : below(other.size())));
      }
    }
  }

  std::mt19937_64 rng_;
  std::vector<std::string> pool_;
  std::vector<std::string_view> dictionary_;
  size_t n_seeds_ = 0;
};

int run_one(const std::string& input) {
  // An exact-size heap copy, so that reading one byte past the end is caught.
  const std::vector<char> copy(input.begin(), input.end());
  return fuzz_one(std::as_bytes(std::span(copy)));
}

int run(uint64_t runs, double seconds) {
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed_s = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  for (const std::string& seed : seeds())
    if (run_one(seed) != 1) return std::fprintf(stderr, "fuzz: a seed was refused\n"), 1;
  Mutator mutator(g_seed);
  uint64_t accepted = 0;
  for (g_run = 0; runs > 0 ? g_run < runs : elapsed_s() < seconds; ++g_run) {
    if (g_run % 64 == 0) ::alarm(kHang_s);
    std::string input = mutator.next();
    try {
      if (run_one(input) == 0) continue;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "fuzz: exception: %s\n", e.what());
      say_where();
      return 1;
    }
    ++accepted;
    mutator.accept(std::move(input));
  }
  std::printf("fuzz: seed %llu, %llu inputs, %llu accepted, %.1f s: no finding\n",
              static_cast<unsigned long long>(g_seed), static_cast<unsigned long long>(g_run),
              static_cast<unsigned long long>(accepted), elapsed_s());
  return 0;
}

}  // namespace
}  // namespace expunge::fuzz

int main(int argc, char** argv) {
  using namespace expunge::fuzz;
  uint64_t runs = 0;
  double seconds = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (flag == "--runs") runs = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--seconds") seconds = std::strtod(argv[i + 1], nullptr);
    if (flag == "--seed") g_seed = std::strtoull(argv[i + 1], nullptr, 10);
  }
  if (runs == 0 && seconds <= 0)
    return std::fprintf(stderr, "usage: %s --runs N | --seconds S [--seed S]\n", argv[0]), 2;
  ::signal(SIGALRM, on_signal);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_set_death_callback(say_where);
#else
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE}) ::signal(number, on_signal);
#endif
  std::printf("%s\n", argv[0]);
  return run(runs, seconds);
}
