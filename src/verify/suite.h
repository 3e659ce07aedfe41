// What a suite is: a kind of data set, and what is computed of a model on it.
//
// A suite is one file in suites/ that defines `extern const Suite suite_<stem>`. From it follow its
// flags with their help, the refusal of options that it does not take, its place in evaluation.json
// and the sharing of its items among processes. Inside, records have the suite's own type; they are
// JSON where they are stored in a file or sent to another process (see run_on).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/job.h"
#include "base/json.h"
#include "model/chat_model.h"
#include "tensor/process_group.h"
#include "verify/blocks.h"
#include "verify/figures.h"
#include "verify/skipped.h"

namespace expunge::verify {

struct SuiteOption {
  std::string_view name;   // of the flag, without its dashes
  std::string_view value;  // what help calls its value: "N", "PATH", "A,B"; "" = a flag without one
  std::string_view what;
};
// Options that every suite takes.
inline constexpr SuiteOption kData = {"data", "PATH", "the suite's file or folder (data/tofu)"};
inline constexpr SuiteOption kLimit = {
    "limit", "N", "the first items of each set or subject, tokens of ppl; 0: all (0)"};

// What was given for the options of a suite, by name; and where the suite may keep files.
class SuiteValues {
 public:
  explicit SuiteValues(std::map<std::string, std::string> given = {}, std::string folder = "")
      : given_(std::move(given)), folder_(std::move(folder)) {}
  bool has(std::string_view name) const { return given_.contains(std::string(name)); }
  std::string text(std::string_view name, std::string_view fallback = "") const;
  std::vector<std::string> list(std::string_view name) const;  // between commas
  // kUsage if it is not a whole number in [least, most].
  base::Result<int64_t> number(std::string_view name, int64_t fallback, int64_t least,
                               int64_t most) const;
  base::Result<size_t> limit() const;  // of kLimit
  std::string data() const { return text("data", "data/tofu"); }
  const std::string& folder() const { return folder_; }  // "" = nothing is stored
  const std::map<std::string, std::string>& given() const { return given_; }

 private:
  std::map<std::string, std::string> given_;
  std::string folder_;
};

// Takes all records there are so far; empty if nothing is to be stored.
template <class Records>
using Keep = std::function<base::Status(const Records&)>;

// What one pass over a model gives.
template <class Records>
struct Outcome {
  Records records;
  Figures figures;  // of these records
  std::vector<Skipped> skipped = {};
  std::map<std::string, double> seconds = {};  // by phase; empty = not told apart
  std::map<std::string, int64_t> tokens = {};
};

// How a pass runs: which part of the items, and with whom.
template <class Records>
struct PassOptions {
  Shard shard = {};
  Keep<Records> keep = {};
  tensor::ProcessGroup* group =
      nullptr;  // the processes that the shards belong to; nullptr = alone
};

// What a suite has to do, whatever the model.
struct Work {
  using Run = std::function<base::Result<Outcome<base::Json>>(
      const model::ChatModel& chat_model, const base::Json& done, const Keep<base::Json>& keep,
      tensor::ProcessGroup* group, const base::Job& job)>;

  std::string suite = {};
  base::Json settings = base::Json::object();  // runs with different settings share no record
  // In the tree of the records, hash_of(what a record is computed from):
  // {"forget": {"0": "5f3c…"}}. A hash in the place of a branch stands for all its records.
  base::Json items = base::Json::object();
  Run run = {};  // items that `done` has records of are not computed again
};
std::string hash_of(const base::Json& content);

struct Suite {
  std::string_view name;  // file stem
  std::string_view what;  // one line
  std::string_view needs, source;
  std::vector<SuiteOption> options;
  // Reads the data; what is wrong with them or the options is an error before a model is loaded.
  base::Result<Work> (*prepare)(const SuiteValues& values);
};
std::vector<const Suite*> suites();
base::Result<const Suite*> find_suite(std::string_view name);
// kUsage if a value was given that the suite does not take.
base::Result<Work> prepare(const Suite& suite, const SuiteValues& values);

// For the files in suites/.
template <class Records>
struct Codec {
  std::function<base::Json(const Records&)> to_json;
  std::function<base::Result<Records>(const base::Json&, std::string_view file)> from_json;
};
// {set: {row: record}} of all processes. Each of them calls this with its own.
base::Result<base::Json> joined(tensor::ProcessGroup& group, const base::Json& own);
Shard shard_of(const tensor::ProcessGroup* group);

// A pass over typed records as Work::run. Where several processes share the items, a second call
// over the records of all of them, none of which is computed again, gives the figures.
template <class Records, class Pass>  // (chat_model, Records done, PassOptions<Records>, job)
Work::Run run_on(Codec<Records> codec, Pass pass) {
  return [codec = std::move(codec), pass = std::move(pass)](
             const model::ChatModel& chat_model, const base::Json& done,
             const Keep<base::Json>& keep, tensor::ProcessGroup* group,
             const base::Job& job) -> base::Result<Outcome<base::Json>> {
    PassOptions<Records> options{shard_of(group), {}, group};
    if (keep) options.keep = [&](const Records& records) { return keep(codec.to_json(records)); };
    Records known = {};
    if (!done.empty()) known = TRY(codec.from_json(done, "records"));
    Outcome<Records> own = TRY(pass(chat_model, std::move(known), options, job));
    base::Json records = codec.to_json(own.records);
    if (group) {
      records = TRY(joined(*group, records));
      Outcome<Records> all =
          TRY(pass(chat_model, TRY(codec.from_json(records, "records of the group")),
                   PassOptions<Records>{{}, {}, group}, job));
      own.figures = std::move(all.figures);
      own.skipped = std::move(all.skipped);
    }
    return Outcome<base::Json>{std::move(records), std::move(own.figures), std::move(own.skipped),
                               std::move(own.seconds), std::move(own.tokens)};
  };
}

}  // namespace expunge::verify
