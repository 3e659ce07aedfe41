// What the tests of exports share: a model of a file, a journal of it, and edits recorded there.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "publish/publish.h"
#include "tiny_gguf.h"

namespace expunge::publish {

namespace fs = std::filesystem;
using base::Code;
using tensor::DType;
using tensor::Tensor;

class ExportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    tensor::start(1);
    fs::create_directory(folder_ / "src");
    fs::create_directory(folder_ / "out");
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  std::string out(const std::string& name) const { return (folder_ / "out" / name).string(); }

  // With a new journal.
  void load(const std::string& path) {
    model_ = tests::shared(model::Model::load(path).value());
    base_hash_ = model_->weights_hash();
    journal_.reset();
    fs::remove(at("j.db"));
    journal_.emplace(
        journal::Journal::open(at("j.db"), {model_->file_hash().value(), base_hash_, path})
            .value());
  }
  void load_image(const std::string& image) {
    tests::write_bytes(at("src/m.gguf"), image);
    load(at("src/m.gguf"));
  }
  edit::Delta low_rank(const std::string& tensor, int64_t rank, double size = 1) {
    const std::vector<int64_t> shape = model_->param(tensor).shape();
    return {tensor, edit::LowRank{tests::random_tensor(rng_, {shape[0], rank}, size),
                                  tests::random_tensor(rng_, {rank, shape[1]}, size)}};
  }
  // Records an edit and applies it.
  void commit(edit::Edit edit) {
    journal::Draft draft;
    draft.edit = std::move(edit);
    draft.request = {{"text", "a secret request"}};
    draft.method = "redirect";
    ASSERT_TRUE(journal_->append(draft, journal_->head().value()));
    model_ = tests::shared(edit::apply(model_->base(), journal_->active_edits().value()).value());
  }
  ExportOptions to(Format format, const std::string& name,
                   std::optional<DType> dtype = std::nullopt) const {
    ExportOptions o;
    o.format = format;
    o.path = out(name);
    o.dtype = dtype;
    return o;
  }
  base::Result<Exported> run(const ExportOptions& options) const {
    return export_model(*model_, *journal_, options);
  }

  tests::TempDir temporary_;
  const fs::path folder_ = temporary_.path();
  std::shared_ptr<const model::Model> model_;
  std::optional<journal::Journal> journal_;
  std::string base_hash_;
  std::mt19937_64 rng_{9};
};

}  // namespace expunge::publish
