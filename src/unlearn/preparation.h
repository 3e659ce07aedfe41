// What a method learns of a model once, before any request: from what, and how it is stored.
//
// A method that has a Preparation describes it; prepare() reads or makes it for any of them. What
// was learned is read by the method alone: others see a Prepared and the layer it begins at.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/job.h"
#include "model/model.h"
#include "unlearn/capture.h"

namespace expunge::unlearn {

// A prompt and what should be said next.
struct Lesson {
  std::vector<int32_t> prompt;
  std::vector<int32_t> target;
};

// The inputs to learn from: common words, not of any request.
struct PreparationInputs {
  std::vector<TokenSpan> prompts;               // questions of all kinds, at their last tokens
  std::vector<std::vector<int32_t>> texts;      // prose
  std::vector<std::vector<int32_t>> questions;  // ordinary ones, which the model answers itself
  std::vector<Lesson> refusals;                 // questions answered by "I don't know"
};
// Made when they are needed; `identity` names all that `make` depends on except the model's file.
struct PreparationSource {
  std::string identity;
  std::function<base::Result<PreparationInputs>()> make;
};

// Finished parts of a long computation, stored in a folder until the result is stored elsewhere:
// after any interruption it resumes with the first part that is missing.
class Parts {
 public:
  Parts() = default;  // stores nothing
  explicit Parts(std::string folder) : folder_(std::move(folder)) {}
  // What `make` returned when this part was first finished, float32, bit for bit.
  base::Result<Tensor> get(const std::string& name,
                           const std::function<base::Result<Tensor>()>& make) const;
  void clear() const;

 private:
  std::string folder_;
};

class Prepared {
 public:
  virtual ~Prepared() = default;
  // The lowest layer that an edit made with it changes.
  virtual int64_t first_layer() const = 0;
  virtual std::string serialise() const = 0;
};
using PreparedPtr = std::shared_ptr<const Prepared>;

struct Preparation {
  std::string_view version;  // changes with what is learned
  base::Result<PreparedPtr> (*learn)(const model::Model& model, const PreparationInputs& inputs,
                                     const Parts& parts, const base::Job& job);
  base::Result<PreparedPtr> (*deserialise)(std::string_view bytes);
  // The same with another answer in the place of "I don't know", for one request.
  base::Result<PreparedPtr> (*with_answer)(const model::Model& model, const Prepared& prepared,
                                           const std::vector<Lesson>& lessons, uint64_t seed,
                                           const base::Job& job);
};

// From the cache folder if learned before (of this method and version, the model's file and
// the inputs' identity), else learned and stored there. `model` is the unedited one. `method` names
// the file.
base::Result<PreparedPtr> prepare(std::string_view method, const Preparation& preparation,
                                  const model::Model& model, const PreparationSource& source,
                                  const base::Job& job);

}  // namespace expunge::unlearn
