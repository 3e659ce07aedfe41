#include "unlearn/capture.h"

#include "model/generate.h"

namespace expunge::unlearn {
namespace {

// Rows of one pass: the tokens behind the shared prefix, and where each wanted row lies in them.
struct Pass {
  std::vector<model::Sequence> sequences;
  std::vector<model::Chunk> chunks;
  std::vector<int64_t> wanted;
};

// Called with the wanted rows of a value, in the order of the rows.
using Visit = std::function<void(model::Point point, int64_t layer, const Tensor& value,
                                 const Tensor& index)>;

base::Status visit(const model::Model& model, std::span<const Row> rows, int64_t last_layer,
                   const Visit& on_value) {
  if (rows.empty()) return base::fail(base::Code::kInvalid, "no rows to capture");
  CHECK(last_layer >= 0 && last_layer < model.config().n_layers, "layer {}", last_layer);
  std::vector<std::vector<int32_t>> prompts;
  for (const Row& row : rows) {
    TRY(model::check_prompt(model.config(), row.ids));
    prompts.push_back(row.ids);
  }
  return tensor::guarded([&]() -> base::Status {
    model::Runner runner(model);
    model::Sequence prefix;
    // A wanted position inside the prefix would not be run again: keep the prefix short of it.
    size_t shared = model::common_prefix(prompts);
    for (const Row& row : rows)
      if (row.position >= 0)
        shared = std::min(shared, static_cast<size_t>(row.position));
      else
        shared = std::min(shared, row.ids.size() + static_cast<size_t>(row.position));
    if (rows.size() > 1 && shared > 0) {
      const model::Chunk chunk{&prefix, std::span(prompts[0]).first(shared)};
      runner.forward({&chunk, 1}, {}, last_layer);
    }
    constexpr size_t kPassTokens = 1024;
    for (size_t next = 0; next < rows.size();) {
      TRY(base::check_cancel());
      Pass pass;
      pass.sequences.reserve(rows.size());
      size_t tokens = 0;
      for (; next < rows.size() && (tokens == 0 || tokens < kPassTokens); ++next) {
        const Row& row = rows[next];
        const auto own = std::span(row.ids).subspan(prefix.length());
        pass.sequences.push_back(model::KvPool::fork(prefix));
        pass.chunks.push_back({&pass.sequences.back(), own});
        const int64_t size = static_cast<int64_t>(row.ids.size());
        const int64_t position = row.position < 0 ? size + row.position : row.position;
        CHECK(position >= 0 && row.count >= 1 && position + row.count <= size);
        for (int64_t k = 0; k < row.count; ++k)
          pass.wanted.push_back(static_cast<int64_t>(tokens) + position + k -
                                static_cast<int64_t>(prefix.length()));
        tokens += own.size();
      }
      const Tensor index = at::tensor(at::ArrayRef<int64_t>(pass.wanted), tensor::i64());
      runner.forward(
          pass.chunks,
          [&](model::Point at, int64_t l, Tensor value) {
            on_value(at, l, value, index);
            return value;
          },
          last_layer);
      for (model::Sequence& s : pass.sequences) runner.pool().truncate(s, s.n_shared);
    }
    return {};
  });
}

}  // namespace

base::Result<Tensor> capture(const model::Model& model, std::span<const Row> rows,
                             model::Point point, int64_t layer) {
  std::vector<Tensor> results;
  TRY(visit(model, rows, layer,
            [&](model::Point at, int64_t l, const Tensor& value, const Tensor& index) {
              if (at == point && l == layer) results.push_back(value.index_select(0, index));
            }));
  return tensor::guarded([&] { return at::cat(results); });  // [rows, width]
}

base::Result<std::vector<Tensor>> capture_layers(const model::Model& model,
                                                 std::span<const Row> rows, model::Point point) {
  const int64_t n_layers = model.config().n_layers;
  std::vector<std::vector<Tensor>> parts(static_cast<size_t>(n_layers));
  TRY(visit(model, rows, n_layers - 1,
            [&](model::Point at, int64_t l, const Tensor& value, const Tensor& index) {
              if (at == point)
                parts[static_cast<size_t>(l)].push_back(value.index_select(0, index));
            }));
  return tensor::guarded([&] {
    std::vector<Tensor> layers;
    for (const auto& part : parts) layers.push_back(at::cat(part));
    return layers;
  });
}

}  // namespace expunge::unlearn
