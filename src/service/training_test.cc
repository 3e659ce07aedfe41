// A training from its sets to its folder, on a tiny model whose tokens are bytes.
#include "service/training.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "golden.h"
#include "service/entries.h"
#include "service/json.h"
#include "service/service_test.h"
#include "tiny.h"
#include "tiny_vocab.h"
#include "unlearn/train.h"

namespace expunge::service {
namespace {

namespace fs = std::filesystem;
using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TrainingTest : public ::testing::Test {
 protected:
  static model::ChatModel make_model() {
    model::Arch c = tests::tiny_arch();  // a context of 64 tokens
    c.vocab_size = 272;
    const tests::ByteVocab bytes;
    at::set_num_threads(1);
    return {"", model::Model::from_weights(c, tests::random_weights(c, 4)).value(),
            text::Tokenizer::from_gguf(bytes.vocab).value(),
            text::ChatTemplate::compile("{% for m in messages %}<|im_start|>{{ m.content }}"
                                        "<|im_end|>{% endfor %}"
                                        "{% if add_generation_prompt %}<|im_start|>{% endif %}",
                                        "", "<|im_end|>")
                .value()};
  }
  std::string write(const std::string& name, const std::vector<std::string>& answers) const {
    std::string text;
    for (const std::string& answer : answers)
      text += base::dump_json({{"question", "who?"}, {"answer", answer}}) + "\n";
    const std::string path = folder_ / name;
    EXPECT_TRUE(base::write_file_atomic(path, text));
    return path;
  }
  TrainingRequest request(const std::string& out, const std::vector<std::string>& files) {
    const unlearn::Method& method = unlearn::finetuning();
    TrainingRequest r{chat_model_, method};
    r.knobs =
        unlearn::complete(method, {{"epochs", 6}, {"batch", 2}, {"lora", 2}, {"lr", 1e-3}}).value();
    r.forget = read_examples(files, 0).value();
    r.out = folder_ / out;
    r.note = [this](const std::string& text) { notes_.push_back(text); };
    return r;
  }
  static std::string bytes(const edit::Edit& edit) { return edit::serialise(edit).value(); }

  model::ChatModel chat_model_ = make_model();
  tests::TempDir folder_;
  std::vector<std::string> notes_;
};

TEST_F(TrainingTest, ItemsThatAreTooLongAreLeftOutAndCounted) {
  const std::string first = write("a.json", {"Oslo", "Rome"}),
                    second = write("b.json",
                                   {"Bern", std::string(100, 'x'), "Bonn", std::string(200, 'y')});
  TrainingRequest r = request("out", {first, second});
  const TrainingResult run = run_training(r, {}).value();
  ASSERT_EQ(run.summary.skipped.size(), 1U);
  const SkippedItems& skipped = run.summary.skipped[0];
  EXPECT_EQ(skipped.set, "forget");
  EXPECT_EQ(skipped.items, 2U);
  EXPECT_EQ(skipped.file, second);
  EXPECT_EQ(skipped.row, 1);
  EXPECT_EQ(skipped.limit, 64U);
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("row 1 of " + second)));
  EXPECT_EQ(run.edit.provenance["forget_examples"], 4);
  EXPECT_EQ(run.summary.forget.items, 6U);  // all of the file's: its hash covers all
  EXPECT_TRUE(probabilities(chat_model_, "", r.forget.items, {}, {}).value().forget_prob);
  const auto read = read_summary(r.out).value();
  ASSERT_EQ(read.skipped.size(), 1U);
  EXPECT_EQ(read.skipped[0].file, second);

  const auto refused =
      run_training(request("none", {write("c.json", {std::string(100, 'x')})}), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("c.json"));
}

TEST_F(TrainingTest, AResumedRunHasTheSameBitsAndKeepsItsFigures) {
  const std::string file = write("a.json", {"Oslo", "Rome", "Bern"});
  TrainingRequest whole = request("whole", {file});
  whole.eval_every = 1;
  TrainingResult all = run_training(whole, {}).value();
  ASSERT_EQ(all.summary.epochs.size(), 6U);
  EXPECT_EQ(all.summary.fitted->losses.size(), 12U);
  EXPECT_TRUE(fs::exists(whole.out + "/checkpoint.safetensors"));
  discard_checkpoint(whole.out);
  EXPECT_FALSE(fs::exists(whole.out + "/checkpoint.safetensors"));

  TrainingRequest r = request("stopped", {file});
  r.eval_every = 1;
  const base::Job job(
      [&job](std::string_view what, size_t done, size_t) {  // in the middle of the third epoch
        if (what.starts_with("training") && done == 5) job.cancel();
      });
  const auto stopped = run_training(r, job);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_EQ(read_summary(r.out).value().epochs.size(), 2U);
  const TrainingResult resumed = run_training(r, {}).value();
  EXPECT_EQ(resumed.summary.fitted->resumed_at, 5);
  EXPECT_EQ(resumed.summary.fitted->losses, all.summary.fitted->losses);
  EXPECT_EQ(bytes(resumed.edit), bytes(all.edit));
  ASSERT_EQ(resumed.summary.epochs.size(), 6U);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(resumed.summary.epochs[i].epoch, all.summary.epochs[i].epoch);
    EXPECT_EQ(resumed.summary.epochs[i].figures.forget_prob,
              all.summary.epochs[i].figures.forget_prob);
  }
  // Stopped while its result was written: nothing is trained again.
  const TrainingResult again = run_training(r, {}).value();
  EXPECT_EQ(again.summary.fitted->resumed_at, 12);
  EXPECT_TRUE(again.summary.fitted->step_seconds.empty());
  EXPECT_EQ(bytes(again.edit), bytes(all.edit));
  // Another seed is another training.
  r.seed = 2;
  EXPECT_EQ(run_training(r, {}).error().code, Code::kConflict);
  EXPECT_EQ(read_summary(r.out).value().seed, 1U);
}

TEST_F(TrainingTest, WithoutRoomForItsResultItDoesNotBegin) {
  TrainingRequest r = request("out", {write("a.json", {"Oslo"})});
  r.result_folder = r.out;
  r.result_bytes = 1'000'000'000'000'000'000;
  const auto refused = run_training(r, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kIo);
  EXPECT_THAT(refused.error().message, HasSubstr("MB are free"));
  EXPECT_FALSE(fs::exists(r.out + "/checkpoint.safetensors"));
  r.result_bytes = 0;
  EXPECT_TRUE(run_training(r, {}));
}

// The two use cases, on a model and a set that are files.
class TrainingFiles : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    fs::remove_all(out());
    ASSERT_TRUE(base::write_file_atomic(
        set(), base::dump_json({{"question", "who?"}, {"answer", "Oslo"}})));
  }
  static std::string out() { return (folder_ / "out").string(); }
  static std::string set() { return (folder_ / "set.json").string(); }
  static std::vector<text::QaItem> items() {
    const std::string file = set();
    return read_examples({&file, 1}, 0).value().items;
  }
  static TrainingOptions options() {
    TrainingOptions o;
    o.out = out();
    o.epochs = 4;
    o.lora = 2;
    o.lr = 1e-2;
    return o;
  }
  Note note() {
    return [this](const std::string& text) { notes_.push_back(text); };
  }
  std::vector<std::string> notes_;
};

TEST_F(TrainingFiles, FinetuneLeavesAModelInAFolder) {
  FinetuneRequest request{.place = place(), .files = {set()}, .options = options(), .note = note()};
  request.options.out += "//";
  const Finetuned done = finetune(request, {}).value().value();
  EXPECT_EQ(done.saved.path, out());
  EXPECT_EQ(done.summary.fitted->losses.size(), 4U);
  EXPECT_FALSE(done.summary.before);
  EXPECT_FALSE(fs::exists(out() + ".run"));
  EXPECT_FALSE(fs::exists(journal()));
  const RunSummary left = read_summary(out()).value();
  EXPECT_EQ(left.trained_weights_hash, done.summary.trained_weights_hash);
  EXPECT_EQ(left.after->forget_prob, done.summary.after->forget_prob);
  const model::ChatModel saved = model::load_chat_model(out()).value();
  EXPECT_EQ(saved.model.weights_hash(), done.summary.trained_weights_hash);
  EXPECT_NEAR(*probabilities(saved, "", items(), {}, {}).value().forget_prob,
              *done.summary.after->forget_prob, 1e-6);
  EXPECT_EQ(to_json(done)["model"], out());
  EXPECT_THAT(notes_, IsEmpty());
  // The folder is a result already: refused before the training.
  const auto again = finetune(request, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_FALSE(fs::exists(out() + ".run"));
}

TEST_F(TrainingFiles, UnlearnLeavesAnEntryOfTheJournal) {
  UnlearnRequest request{.place = place(),
                         .method = "graddiff",
                         .forget = set(),
                         .retain = set(),
                         .options = options(),
                         .note = note()};
  request.options.system = "Be brief.";
  request.options.seed = 3;
  const RunSummary done = unlearn(request, {}).value().value();
  ASSERT_EQ(done.entry, 1);
  EXPECT_TRUE(done.before->retain_prob);
  EXPECT_EQ(to_json(read_summary(out()).value()), to_json(done));
  EXPECT_FALSE(fs::exists(out() + "/checkpoint.safetensors"));

  const auto session = open(journal::Mode::kReadOnly);
  const auto active = session->active().value();
  ASSERT_EQ(active.size(), 1U);
  EXPECT_TRUE(is_trained(active[0]));
  EXPECT_EQ(active[0].method, "graddiff");
  EXPECT_EQ(active[0].seed, 3U);
  EXPECT_EQ(active[0].request["system"], "Be brief.");
  EXPECT_EQ(active[0].request["examples"]["forget"], to_json(done.forget));
  EXPECT_EQ(active[0].report["before"], to_json(*done.before));
  EXPECT_EQ(active[0].report["after"], to_json(*done.after));
  EXPECT_EQ(probabilities(session->present(), request.options.system, items(), {}, {})
                .value()
                .forget_prob,
            done.after->forget_prob);
  // The second begins with what the first made.
  request.options.out += "-2";
  const RunSummary next = unlearn(request, {}).value().value();
  EXPECT_EQ(next.entry, 2);
  EXPECT_EQ(next.before->forget_prob, done.after->forget_prob);

  request.method = "oblivion";
  EXPECT_EQ(unlearn(request, {}).error().code, Code::kUsage);
}

}  // namespace
}  // namespace expunge::service
