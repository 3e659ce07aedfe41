// What the journal's tests share: a folder, a model's identity, edits with known bits.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "journal/journal.h"

namespace expunge::journal {

namespace fs = std::filesystem;
using base::Code;
using base::Json;

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "expunge-journal-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name = "j.db") const { return (folder_ / name).string(); }
  static ModelIdentity model() { return {std::string(64, 'a'), std::string(64, 'b'), "a.gguf"}; }
  base::Result<Journal> open(const OpenOptions& options = {}) const {
    return Journal::open(path(), model(), options);
  }

  // Bytes of the database and of SQLite's files next to it.
  std::string all_bytes() const {
    std::string bytes;
    for (const auto& file : fs::directory_iterator(folder_)) {
      std::ifstream in(file.path(), std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(in), {});
    }
    return bytes;
  }

  fs::path folder_;
};

inline tensor::Tensor numbers(std::vector<int64_t> shape, uint64_t seed) {
  std::mt19937_64 rng(seed);
  tensor::Tensor t = at::empty(shape, tensor::f32());
  for (int64_t i = 0; i < t.numel(); ++i)
    t.data_ptr<float>()[i] = static_cast<float>(static_cast<double>(rng() >> 11) * 0x1p-53 - 0.5);
  return t;
}

inline edit::Edit make_edit(uint64_t seed, int64_t rank = 2) {
  edit::Edit e;
  e.deltas.push_back({"model.layers.1.mlp.down_proj.weight",
                      edit::LowRank{numbers({12, rank}, seed), numbers({rank, 20}, seed + 1)}});
  e.provenance = {{"method", "redirect"}, {"residual", 0.25}, {"subject", "France-provenance"}};
  return e;
}

inline Draft make_draft(uint64_t seed = 1) {
  Draft d;
  d.request = {{"text", "forget that the capital of France is Paris-request"}};
  d.plan = {{"targets", {{{"prompt", "capital of France-plan"}, {"response", "Paris-plan"}}}}};
  d.method = "redirect";
  d.edit = make_edit(seed);
  d.report = {{"gates",
               {{{"name", "exact"},
                 {"sense", "at_least"},
                 {"value", 1.0},
                 {"passed", true},
                 {"items", {{{"prompt", "France-report"}, {"good", true}}}}}}}};
  d.verdict = "passed";
  d.weights_hash = std::string(64, 'c');
  d.seed = 0xFFFFFFFFFFFFFFFFULL;
  return d;
}

inline Draft make_undo(int64_t id) {
  Draft d;
  d.kind = Kind::kUndo;
  d.undoes = id;
  d.verdict = "passed";
  d.weights_hash = std::string(64, 'b');
  return d;
}

inline std::vector<int64_t> ids(const std::vector<Entry>& entries) {
  std::vector<int64_t> result;
  for (const Entry& e : entries) result.push_back(e.id);
  return result;
}

}  // namespace expunge::journal
