#include "service/training.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/hash.h"
#include "base/utf8.h"
#include "base/version.h"
#include "edit/checkpoint.h"
#include "service/planning.h"
#include "tensor/version.h"
#include "unlearn/examples.h"
#include "unlearn/train.h"
#include "verify/evaluate.h"

namespace expunge::service {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

std::string checkpoint_of(const std::string& out) { return out + "/checkpoint.safetensors"; }

SkippedItems skipped_items(const std::string& name, const ExampleSet& set,
                           const std::vector<unlearn::TooLong>& skipped) {
  const unlearn::TooLong& first = skipped.front();
  SkippedItems items{.set = name,
                     .items = skipped.size(),
                     .file = {},
                     .row = set.items[first.index].row,
                     .tokens = first.tokens,
                     .limit = first.limit};
  for (const ExampleSet::File& file : set.files)
    if (file.first <= first.index) items.file = file.path;
  return items;
}

// SHA-256 of the adapters that a training goes on from; "" without them.
std::string adapters_hash(const std::map<std::string, edit::LowRank>& adapters) {
  if (adapters.empty()) return {};
  base::Sha256 hash;
  for (const auto& [name, change] : adapters) {
    hash.update(name);
    for (const tensor::Tensor& factor : {change.u, change.s})
      hash.update(std::span(static_cast<const std::byte*>(factor.data_ptr()), factor.nbytes()));
  }
  return hash.hex();
}

class TrainingJob {
 public:
  TrainingJob(const TrainingRequest& request, const base::Job& job)
      : r_(request), job_(job), writes_(!request.out.empty() && tensor::leads(request.group)) {}

  Result<TrainingResult> run() {
    const base::Stopwatch clock;
    unlearn::EncodedSets sets = TRY(encode());
    unlearn::Problem problem{.model = r_.chat_model.model, .seed = r_.seed};
    problem.training = &sets.set;
    if (!r_.method.objective()) {
      unlearn::RowSets rows = unlearn::answer_rows(sets.set);
      problem.forget = std::move(rows.forget);
      problem.retain = std::move(rows.retain);
      problem.refusal = std::move(rows.refusal);
    }
    problem.run = training_run();
    TRY(open_folder());
    result_.edit = TRY(unlearn::propose(r_.method, problem, r_.knobs, job_));
    summary_.edit_norm = edit::relative_norm(r_.chat_model.model, result_.edit);
    summary_.seconds = clock.seconds();
    summary_.peak_memory_gb = peak_memory_gb();
    return std::move(result_);
  }

 private:
  // The sets as they are trained, and their part of the summary.
  Result<unlearn::EncodedSets> encode() {
    summary_.method = r_.method.name;
    summary_.knobs = r_.knobs;
    summary_.seed = r_.seed;
    summary_.system = r_.system;
    summary_.begun = adapters_hash(r_.adapters);
    summary_.weights_hash = r_.chat_model.model.weights_hash();
    summary_.forget = {r_.forget.items.size(), hash_of(r_.forget.items)};
    summary_.retain = {r_.retain.items.size(), hash_of(r_.retain.items)};
    summary_.citation = r_.method.citation;
    summary_.expunge = base::kVersion;
    summary_.libtorch = tensor::libtorch_version();
    summary_.processes = r_.group ? r_.group->size() : 1;
    unlearn::EncodedSets sets = TRY(
        unlearn::encode_sets(r_.chat_model, r_.forget.items, r_.retain.items, r_.system, r_.seed));
    TRY(skip("forget", r_.forget, sets.forget_skipped));
    TRY(skip("retain", r_.retain, sets.retain_skipped));
    return sets;
  }

  Status skip(const std::string& name, const ExampleSet& set,
              const std::vector<unlearn::TooLong>& skipped) {
    if (skipped.empty()) return {};
    summary_.skipped.push_back(skipped_items(name, set, skipped));
    const std::string text = describe(summary_.skipped.back());
    if (skipped.size() == set.items.size())
      return fail(Code::kInvalid, text, "nothing of the set is left: shorten its items");
    note(text);
    return {};
  }

  // A run that is resumed keeps its earlier evaluations.
  Status open_folder() {
    if (r_.out.empty()) return {};
    TRY(base::make_dirs(r_.out));
    const std::string checkpoint = checkpoint_of(r_.out);
    if (::access(checkpoint.c_str(), F_OK) == 0) {
      const auto before = read_summary(r_.out);
      const bool is_known = before && !before->method.empty();
      if (is_known && identity_of(*before) != identity_of(summary_))  // before run.json is replaced
        return fail(Code::kConflict, checkpoint + " is the checkpoint of another training",
                    "remove it to begin from the start, or choose another folder");
      if (is_known) summary_.epochs = before->epochs;
    }
    if (writes_) TRY(write_summary(r_.out, summary_));
    return {};
  }

  unlearn::TrainingRun training_run() {
    unlearn::TrainingRun run;
    run.group = r_.group;
    run.adapters = r_.adapters;
    if (!r_.out.empty())
      run.checkpoint = {.path = checkpoint_of(r_.out),
                        .identity = identity_of(summary_),
                        .every_steps = r_.checkpoint_every,
                        .failed = [this](const base::Error& e) {
                          note(
                              fmt::format("no checkpoint was written: {} ({}); the last good one "
                                          "is kept",
                                          e.message, e.hint));
                        }};
    run.before = [this](const edit::TrainableParameters& p) { return hold_space(p); };
    if (r_.eval_every > 0 && tensor::leads(r_.group))
      run.after_epoch = [this](int64_t epoch, const edit::TrainableParameters& parameters) {
        return evaluate(epoch, parameters);
      };
    run.done = [this](const edit::Fitted& fitted) { summary_.fitted = fitted; };
    return run;
  }

  Status hold_space(const edit::TrainableParameters& parameters) {
    if (r_.result_folder.empty() || !tensor::leads(r_.group)) return {};
    // A journal writes an entry to its log first, then into the file.
    constexpr uint64_t kRecords = 1 << 20;  // run.json and other small files
    const uint64_t bytes = r_.result_bytes > 0 ? r_.result_bytes : 2 * parameters.edit_bytes();
    result_.space = TRY(base::HeldSpace::hold(r_.result_folder, bytes + kRecords));
    return {};
  }

  Status evaluate(int64_t epoch, const edit::TrainableParameters& parameters) {
    if (epoch % r_.eval_every != 0) return {};
    if (std::ranges::count(summary_.epochs, epoch, &EpochFigures::epoch) > 0) return {};
    const auto trained =
        r_.chat_model.with(TRY(edit::apply(r_.chat_model.model, parameters.edit())));
    const SetFigures figures =
        TRY(probabilities(trained, r_.system, r_.forget.items, r_.retain.items, job_));
    summary_.epochs.push_back({epoch, figures});
    if (!writes_) return {};
    if (const Status written = write_summary(r_.out, summary_); !written)
      note(fmt::format("run.json was not written: {}", written.error().message));
    return {};
  }

  void note(const std::string& text) const {
    if (r_.note) r_.note(text);
  }

  const TrainingRequest& r_;
  const base::Job& job_;
  bool writes_;
  TrainingResult result_;
  RunSummary& summary_ = result_.summary;
};

Result<ExampleSet> read_set(const UnlearnRequest& request, const std::string& split) {
  const std::string file = TRY(qa_file(request.data, split));
  return read_examples({&file, 1}, request.options.limit);
}

TrainingRequest training_of(const TrainingOptions& o, const model::ChatModel& chat_model,
                            const unlearn::Method& method, unlearn::Knobs knobs) {
  TrainingRequest r{chat_model, method, std::move(knobs)};
  r.system = o.system;
  r.seed = o.seed;
  r.eval_every = o.eval_every;
  r.checkpoint_every = o.checkpoint_every;
  r.out = o.out;
  return r;
}

// The result exists already: a failure to write its record does not undo it.
void write_or_note(const std::string& out, const RunSummary& summary, const Note& note) {
  if (const Status written = write_summary(out, summary); !written && note)
    note(fmt::format("run.json was not written: {}", written.error().message));
}

// What save_trained writes: float32 weights; tokenizer and other small files.
uint64_t saved_bytes(const model::Model& model) {
  uint64_t bytes = 32 << 20;
  bytes += model.weight_bytes();
  return bytes;
}

journal::Draft draft_of(const TrainingRequest& request, const RunSummary& s) {
  journal::Draft draft;
  draft.request = {{"intent", "forget"},
                   {"examples", {{"forget", to_json(s.forget)}, {"retain", to_json(s.retain)}}},
                   {"system", request.system}};
  draft.method = request.method.name;
  draft.report = {{"before", to_json(*s.before)},
                  {"after", to_json(*s.after)},
                  {"edit_norm", *s.edit_norm},
                  {"seconds", *s.seconds}};
  draft.verdict = "trained";
  draft.seed = request.seed;
  return draft;
}

}  // namespace

std::string hash_of(const std::vector<text::QaItem>& items) {
  base::Sha256 hash;
  for (const text::QaItem& item : items) hash.update(item.question + '\0' + item.answer + '\0');
  return hash.hex();
}

Result<unlearn::Knobs> knobs_of(const unlearn::Method& method, const TrainingOptions& o) {
  unlearn::Knobs knobs;
  for (const std::string& text : o.knobs) {
    const auto [name, value] = TRY(parse_knob(text));
    knobs[name] = TRY(unlearn::knob_value(method, name, value));
  }
  for (const auto& [name, value] : {std::pair("epochs", o.epochs), std::pair("lr", o.lr),
                                    std::pair("batch", o.batch), std::pair("lora", o.lora)})
    if (value) knobs[name] = *value;
  return unlearn::complete(method, knobs);
}

Result<ExampleSet> read_examples(std::span<const std::string> files, size_t limit) {
  ExampleSet set;
  for (const std::string& file : files) {
    set.files.push_back({file, set.items.size()});
    std::ranges::move(TRY(text::read_qa(file, limit)), std::back_inserter(set.items));
  }
  return set;
}

Result<SetFigures> probabilities(const model::ChatModel& chat_model, const std::string& system,
                                 std::span<const text::QaItem> forget,
                                 std::span<const text::QaItem> retain, const base::Job& job) {
  verify::EvaluateOptions options;
  options.system = system;
  options.generate = false;
  std::vector<verify::QaSet> sets;
  constexpr size_t kMost = 100;  // of each set: an indication while training
  for (const auto& [name, items] : {std::pair("forget", forget), std::pair("retain", retain)}) {
    verify::QaSet& set = sets.emplace_back(verify::QaSet{name, {}});
    for (const text::QaItem& item : items.first(std::min(kMost, items.size())))
      if (!TRY(unlearn::too_long(chat_model, system, item))) {
        set.items.push_back(item);
        set.items.back().row = static_cast<int64_t>(set.items.size()) - 1;  // of several files
      }
  }
  SetFigures figures;
  for (const auto& [name, records] :
       TRY(verify::evaluate(chat_model, sets, options, {}, job)).records) {
    if (records.empty()) continue;
    double sum = 0;
    for (const auto& record : records) sum += record.score.prob();
    (name == "forget" ? figures.forget_prob : figures.retain_prob) =
        sum / static_cast<double>(records.size());
  }
  return figures;
}

Result<TrainingResult> run_training(const TrainingRequest& request, const base::Job& job) {
  return TrainingJob(request, job).run();
}

void discard_checkpoint(const std::string& out) { edit::remove_checkpoint(checkpoint_of(out)); }

Result<std::optional<Finetuned>> finetune(FinetuneRequest request, const base::Job& job) {
  const unlearn::Method& method = unlearn::finetuning();
  auto knobs = TRY(knobs_of(method, request.options));
  std::string& out = request.options.out;
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  const bool adapter = request.saves == Saves::kAdapter;
  if (adapter && knobs.at("lora") == 0)
    return fail(Code::kUsage, "without --lora there is no adapter",
                "give its rank, e.g. --lora 16");
  publish::ExportOptions destination{.format = publish::Format::kPeft, .dtype = {}, .path = out};
  if (!adapter)
    destination = {publish::Format::kSafetensors, tensor::DType::kF32, out,
                   publish::Overwrite::kNo};
  ExampleSet examples = TRY(read_examples(request.files, request.options.limit));
  const model::ChatModel chat_model = TRY(load_model(request.place, request.note));
  TRY(publish::check_destination(chat_model.model, destination));  // before the work
  TrainingRequest training = training_of(request.options, chat_model, method, std::move(knobs));
  training.group = request.group;
  training.note = request.note;
  training.forget = std::move(examples);
  if (!request.options.adapter.empty())
    for (const edit::Delta& d : TRY(publish::read_adapter(request.options.adapter)).deltas)
      training.adapters[d.tensor] = std::get<edit::LowRank>(d.change);
  training.out = out + ".run";  // the folder itself appears complete
  training.result_folder = training.out;
  training.result_bytes = adapter ? 0 : saved_bytes(chat_model.model);
  TrainingResult run = TRY(run_training(training, job));
  if (!tensor::leads(request.group)) return std::nullopt;
  const model::ChatModel trained = chat_model.with(TRY(edit::apply(chat_model.model, run.edit)));
  run.summary.after = TRY(probabilities(trained, training.system, training.forget.items, {}, job));
  run.summary.trained_weights_hash = trained.model.weights_hash();
  run.space.release();
  const Json provenance = {{"training", to_json(run.summary)}};
  auto saved =
      TRY(adapter ? publish::save_adapter(chat_model.model, run.edit, provenance, destination, job)
                  : publish::save_trained(trained.model, provenance, destination, job));
  std::filesystem::remove_all(training.out);
  write_or_note(out, run.summary, request.note);
  return Finetuned{std::move(run.summary), std::move(saved)};
}

Result<std::optional<RunSummary>> unlearn(const UnlearnRequest& request, const base::Job& job) {
  const bool leads = tensor::leads(request.group);
  const unlearn::Method& method = *TRY(unlearn::find_method(request.method));
  auto knobs = TRY(knobs_of(method, request.options));
  ExampleSet forget = TRY(read_set(request, request.forget));
  ExampleSet retain;
  if (!request.retain.empty()) retain = TRY(read_set(request, request.retain));
  const auto session = TRY(
      open_session(request.place, leads ? journal::Mode::kReadWrite : journal::Mode::kReadOrEmpty));
  const model::ChatModel present = session->present();
  say_notes(present, request.note);
  TrainingRequest training = training_of(request.options, present, method, std::move(knobs));
  training.group = request.group;
  training.note = request.note;
  training.forget = std::move(forget);
  training.retain = std::move(retain);
  training.result_folder =
      std::filesystem::absolute(session->journal_path()).parent_path().string();
  const auto figures = [&](const model::ChatModel& model) {
    return probabilities(model, training.system, training.forget.items, training.retain.items, job);
  };
  SetFigures before;
  if (leads) before = TRY(figures(present));
  TrainingResult run = TRY(run_training(training, job));
  if (!leads) return std::nullopt;
  run.summary.before = before;
  run.summary.after = TRY(figures(present.with(TRY(edit::apply(present.model, run.edit)))));
  run.space.release();
  run.summary.entry = TRY(session->add(std::move(run.edit), draft_of(training, run.summary)));
  discard_checkpoint(training.out);
  write_or_note(training.out, run.summary, request.note);
  return std::move(run.summary);
}

double peak_memory_gb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e9;  // KiB
}

}  // namespace expunge::service
