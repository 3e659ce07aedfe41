// Choices of a random tiny model over a vocabulary of bytes, against the plain pass.
#include "verify/choices.h"

#include <gmock/gmock.h>

#include "tiny.h"
#include "tiny_vocab.h"

namespace expunge::verify {
namespace {

using ::testing::HasSubstr;
using tests::Ids;
using text::ChoiceItem;

const model::ChatModel& chat_model() {
  static const model::ChatModel* random = [] {
    tensor::start(1);
    model::Arch c = tests::tiny_arch();
    c.vocab_size = 272;
    c.context_length = 1500;
    const tests::ByteVocab bytes;
    return new model::ChatModel{
        "", model::Model::from_weights(c, tests::random_weights(c, 4)).value(),
        text::Tokenizer::from_gguf(bytes.vocab).value(),
        text::ChatTemplate::compile(
            "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>"
            "{% endfor %}{% if add_generation_prompt %}<|im_start|>{% endif %}",
            "", "<|im_end|>")
            .value()};
  }();
  return *random;
}

std::vector<ChoiceItem> items_of(const std::string& subject, int64_t n, size_t n_options) {
  std::vector<ChoiceItem> items;
  for (int64_t row = 0; row < n; ++row) {
    ChoiceItem item{row, subject, fmt::format(" What is {}?\n", row * 37 % 101), {}, 0};
    for (size_t o = 0; o < n_options; ++o) item.options.push_back(fmt::format("x{}", o));
    item.right = static_cast<size_t>(row) % n_options;
    items.push_back(std::move(item));
  }
  return items;
}

double plain_logprob(const std::string& text) {
  Ids ids = chat_model().tokenizer.encode_with_specials(text).value().ids;
  const int32_t last = ids.back();
  ids.pop_back();
  return tests::log_prob(chat_model().model, ids, last);
}

TEST(Choices, ThePromptIsThePeers) {
  const ChoiceItem example{0, "us_foreign_policy", "One?", {"a", "b", "c"}, 2};
  const ChoiceItem item{0, "us_foreign_policy", " Two,\nthree? \n", {"d", " e"}, 0};
  const std::vector<const ChoiceItem*> examples = {&example};
  EXPECT_EQ(choice_prompt(item, examples),
            "The following are multiple choice questions (with answers) about us foreign policy.\n"
            "\n"
            "One?\nA. a\nB. b\nC. c\nAnswer: C\n\n"
            "Two,\nthree?\nA. d\nB.  e\nAnswer:");
}

TEST(Choices, LettersScoreAsThePlainPassScoresThem) {
  auto items = items_of("law", 3, 4);
  for (const ChoiceItem& item : items_of("art_of_war", 2, 7)) items.push_back(item);
  ChoiceOptions options;
  options.examples = items_of("law", 2, 4);
  for (const ChoiceItem& item : items_of("art_of_war", 1, 7)) options.examples.push_back(item);
  for (const PromptForm form : {PromptForm::kPlain, PromptForm::kChat}) {
    options.form = form;
    const auto result = answer_choices(chat_model(), items, options).value();
    ASSERT_EQ(result.records.size(), 5);
    EXPECT_EQ(result.records[0].subject, "art_of_war");
    int64_t n_right = 0;
    for (const ChoiceRecord& r : result.records) {
      const bool law = r.subject == "law";
      const ChoiceItem& item = items[static_cast<size_t>(r.row) + (law ? 0 : 3)];
      std::vector<const ChoiceItem*> examples = {&options.examples[law ? 0 : 2]};
      if (law) examples.push_back(&options.examples[1]);
      const std::string prompt = choice_prompt(item, examples);
      ASSERT_EQ(r.logprobs.size(), item.options.size());
      for (size_t o = 0; o < r.logprobs.size(); ++o) {
        const char letter = static_cast<char>('A' + o);
        const std::string whole = form == PromptForm::kPlain
                                      ? prompt + " " + letter
                                      : "<|im_start|>" + prompt + "<|im_end|><|im_start|>" + letter;
        // The blank is a separate token here; the same for every letter, it is not scored.
        EXPECT_NEAR(r.logprobs[o] - r.logprobs[0],
                    plain_logprob(whole) - plain_logprob(whole.substr(0, whole.size() - 1) + "A"),
                    4e-5)
            << r.subject << ' ' << r.row << ' ' << letter;
      }
      EXPECT_EQ(r.right, item.right);
      n_right += r.chosen == r.right;
    }
    EXPECT_EQ(result.all.n_items, 5);
    EXPECT_EQ(result.all.n_right, n_right);
    EXPECT_EQ(result.subjects.at("law").n_items, 3);
  }
}

// The scoring pass tells its progress once a packed batch: the examples, 900 tokens, are run once,
// and so is what the four letters of a question share; all the rest fits a batch of 1024.
TEST(Choices, SharedBeginningsAreRunOnce) {
  const auto items = items_of("law", 12, 4);
  ChoiceOptions options;
  options.examples = items_of("law", 20, 4);
  std::vector<size_t> done;
  const base::Job job([&](std::string_view what, size_t at, size_t total) {
    EXPECT_EQ(what, "answering law");
    EXPECT_EQ(total, 12);
    done.push_back(at);
  });
  ASSERT_TRUE(answer_choices(chat_model(), items, options, {}, job));
  EXPECT_EQ(done, std::vector<size_t>{0});
}

TEST(Choices, GoesOnWhereItStopped) {
  auto items = items_of("law", 140, 2);  // two blocks
  for (const ChoiceItem& item : items_of("art", 3, 3)) items.push_back(item);
  ChoiceOptions options;
  const auto whole = answer_choices(chat_model(), items, options).value();
  std::vector<size_t> sizes;
  base::Json kept;
  const base::Job job;
  options.keep = [&](std::span<const ChoiceRecord> records) -> base::Status {
    sizes.push_back(records.size());
    kept = choice_records_to_json(records);
    if (sizes.size() == 2) job.cancel();  // art and the first block of law
    return {};
  };
  EXPECT_EQ(answer_choices(chat_model(), items, options, {}, job).error().code,
            base::Code::kCancelled);
  kept = base::parse_json(base::dump_json(kept), "kept").value();
  const auto done = choice_records_from_json(kept, "kept").value();
  const auto rest = answer_choices(chat_model(), items, options, done).value();
  EXPECT_EQ(sizes, (std::vector<size_t>{3, 131, 143}));
  EXPECT_EQ(to_json(figures_of(rest)), to_json(figures_of(whole)));
  EXPECT_EQ(choice_records_to_json(rest.records), choice_records_to_json(whole.records));
  // Existing records are taken unchanged.
  kept["art"]["0"]["chosen"] = 1 - whole.records[0].chosen % 2;
  const auto marked = choice_records_from_json(kept, "kept").value();
  EXPECT_EQ(answer_choices(chat_model(), items, options, marked).value().records[0].chosen,
            1 - whole.records[0].chosen % 2);
}

TEST(Choices, SharesMakeTheWhole) {
  auto items = items_of("law", 5, 2);
  for (const ChoiceItem& item : items_of("art", 2, 3)) items.push_back(item);
  ChoiceOptions options;
  const auto whole = answer_choices(chat_model(), items, options).value();
  std::vector<ChoiceRecord> all;
  for (const size_t rank : {0, 1}) {
    options.shard = {rank, 2};
    const auto part = answer_choices(chat_model(), items, options).value().records;
    EXPECT_EQ(part.size(), rank == 0 ? 4 : 3);  // every second one of each subject
    all.insert(all.end(), part.begin(), part.end());
  }
  options.shard = {};
  options.keep = [](auto) -> base::Status { return base::fail(base::Code::kInternal, "work"); };
  const auto joined = answer_choices(chat_model(), items, options, all).value();
  EXPECT_EQ(joined.all.n_right, whole.all.n_right);
  ASSERT_EQ(joined.records.size(), whole.records.size());
  for (size_t i = 0; i < whole.records.size(); ++i)
    EXPECT_NEAR(joined.records[i].logprobs[0], whole.records[i].logprobs[0], 1e-5);
}

TEST(Choices, RecordsOfAFileAreChecked) {
  const auto message = [](const char* json) {
    return choice_records_from_json(base::Json::parse(json), "f").error().message;
  };
  EXPECT_THAT(message(R"({"law": {"0": {"right": 0, "chosen": 2, "logprobs": [-1, -2]}}})"),
              HasSubstr("f: law: row 0: chosen: expected the index of one of logprobs, got 2"));
  EXPECT_THAT(message(R"({"law": {"0": {"right": -1, "chosen": 0, "logprobs": [-1]}}})"),
              HasSubstr("right"));
  EXPECT_THAT(message(R"({"law": {"0": {"right": 0, "chosen": 0, "logprobs": [null]}}})"),
              HasSubstr("a number"));
  EXPECT_THAT(message(R"({"law": {"00": {}}})"), HasSubstr("row number"));
  EXPECT_THAT(message(R"({"law": []})"), HasSubstr("an object"));
}

TEST(Choices, AccuracyAndItsError) {
  const Accuracy a{16, 4};
  EXPECT_DOUBLE_EQ(a.mean(), 0.25);
  // The deviation of 4 ones and 12 zeros, n - 1 below: sqrt(3 / 15), over sqrt(16).
  EXPECT_DOUBLE_EQ(*a.standard_error(), std::sqrt(3.0 / 15) / 4);
  EXPECT_FALSE(Accuracy({1, 1}).standard_error());
}

TEST(Choices, NamesWhatCannotBeAnswered) {
  ChoiceOptions options;
  options.examples = items_of("law", 1, 4);
  EXPECT_THAT(answer_choices(chat_model(), items_of("art", 1, 4), options).error().message,
              HasSubstr("no worked example of subject 'art'"));
  options.examples = items_of("law", 60, 4);
  const auto error = answer_choices(chat_model(), items_of("law", 1, 4), options).error();
  EXPECT_THAT(error.message, HasSubstr("no question fits: law row 0: "));
  EXPECT_THAT(error.message, HasSubstr("the model's context holds 1500"));
  EXPECT_FALSE(answer_choices(chat_model(), {}));
}

TEST(Choices, AQuestionBeyondTheContextIsSkipped) {
  auto items = items_of("law", 3, 2);
  const auto alone = answer_choices(chat_model(), std::vector{items[0], items[2]}).value();
  items[1].question = std::string(1600, 'x');
  items[1].file = "law_test.csv";
  const Choices result = answer_choices(chat_model(), items).value();
  ASSERT_EQ(result.skipped.size(), 1);
  EXPECT_THAT(describe(result.skipped[0]), HasSubstr("law row 1 of law_test.csv: "));
  EXPECT_EQ(result.all.n_items, 2);
  ASSERT_EQ(result.records.size(), 2);
  EXPECT_EQ(result.records[1].row, 2);
  EXPECT_EQ(result.records[1].chosen, alone.records[1].chosen);
}

TEST(Choices, AsJson) {
  Choices result;
  result.all = {2, 1};
  result.subjects["law"] = {2, 1};
  result.records = {{0, "law", 1, 1, {-1.5, -0.5}}, {3, "law", 0, 1, {-2, -1}}};
  EXPECT_EQ(base::dump_json(to_json(figures_of(result))["summary"]),
            R"({"acc":0.5,"acc_stderr":0.5,"acc/law":0.5,"n_items":2})");
  EXPECT_EQ(base::dump_json(choice_records_to_json(result.records)),
            R"({"law":{"0":{"right":1,"chosen":1,"logprobs":[-1.5,-0.5]},)"
            R"("3":{"right":0,"chosen":1,"logprobs":[-2.0,-1.0]}}})");
}

}  // namespace
}  // namespace expunge::verify
