#include "text/text_folder.h"

#include <gmock/gmock.h>

#include "golden.h"
#include "tiny_vocab.h"

namespace expunge::text {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kConfig = "tokenizer_config.json";

// A folder with a tokenizer and the given files.
class Folder {
 public:
  Folder() { put(kTokenizer, tokenizer_json(tests::ByteVocab().vocab).value()); }
  Folder& put(const std::string& name, std::string_view text) {
    tests::write_bytes(dir_ / name, text);
    return *this;
  }
  base::Result<TextSide> load() const { return text_side_of_folder(dir_.path()); }
  // What the template makes of "hi", or the error.
  std::string prompt() const {
    const auto side = load();
    if (!side) return side.error().message;
    const Message hi{"user", "hi"};
    return side->chat.render({&hi, 1}, AddGenerationPrompt::kNo).value();
  }

 private:
  tests::TempDir dir_;
};

std::string config(std::string_view chat_template) {
  return fmt::format(R"({{"bos_token":"<s>","eos_token":{{"content":"</s>"}},"chat_template":{}}})",
                     chat_template);
}
constexpr const char* kNamed = R"([{"name":"rag","template":"R{{ messages[0].content }}"},
  {"name":"default","template":"D{{ messages[0].content }}"},
  {"name":"tool_use","template":"T{{ messages[0].content }}"}])";

TEST(TextFolder, TheTemplateComesFromTheFirstFileThatHasOne) {
  Folder f;
  f.put("chat_template.json", R"({"chat_template":"J{{ messages[0].content }}"})");
  EXPECT_EQ(f.prompt(), "Jhi");
  f.put(kConfig, R"({"chat_template":null})");
  EXPECT_EQ(f.prompt(), "Jhi");
  f.put(kConfig, config(R"("{{ bos_token }}C{{ messages[0].content }}{{ eos_token }}")"));
  EXPECT_EQ(f.prompt(), "<s>Chi</s>");
  f.put("chat_template.jinja", "{{ bos_token }}F{{ messages[0].content }}\n");
  EXPECT_EQ(f.prompt(), "<s>Fhi");
}

TEST(TextFolder, OfSeveralTemplatesTheDefaultIsUsedAndTheOthersAreNamed) {
  Folder f;
  f.put(kConfig, config(kNamed));
  EXPECT_EQ(f.prompt(), "Dhi");
  EXPECT_THAT(f.load()->notes, ElementsAre(HasSubstr("not rag, tool_use")));
  f.put(kConfig, config(R"([{"name":"only","template":"O{{ messages[0].content }}"}])"));
  EXPECT_EQ(f.prompt(), "Ohi");
  EXPECT_THAT(f.load()->notes, IsEmpty());
  f.put(kConfig, config(R"([{"name":"a","template":""},{"name":"b","template":""}])"));
  EXPECT_EQ(f.load().error().code, Code::kUnsupported);
  EXPECT_THAT(f.load().error().message, HasSubstr("a, b"));
}

TEST(TextFolder, WithoutATemplateTheFormIsPlain) {
  Folder f;
  EXPECT_EQ(f.load()->chat.form(), ChatTemplate::Form::kPlain);
  f.put(kConfig, "{}");
  EXPECT_EQ(f.load()->chat.form(), ChatTemplate::Form::kPlain);
  EXPECT_EQ(f.prompt(), "Question: hi\n");
  f.put(kConfig, config(R"("{{ messages[0].content }}")"));
  EXPECT_EQ(f.load()->chat.form(), ChatTemplate::Form::kModels);
}

TEST(TextFolder, TemplatesWithoutADefaultAreNamed) {
  Folder f;
  EXPECT_THAT(f.load()->named_templates, IsEmpty());
  f.put("additional_chat_templates/tool_use.jinja", "T").put("additional_chat_templates/a.txt", "");
  f.put("additional_chat_templates/rag.jinja", "R");
  EXPECT_EQ(f.load()->chat.form(), ChatTemplate::Form::kPlain);
  EXPECT_THAT(f.load()->named_templates, ElementsAre("rag", "tool_use"));
  f.put("chat_template.jinja", "{{ messages[0].content }}");
  EXPECT_THAT(f.load()->named_templates, IsEmpty());
}

TEST(TextFolder, BrokenFilesAreErrorsThatNameThem) {
  Folder f;
  for (const char* bad : {"{", "[]", R"({"chat_template":7})", R"({"chat_template":[7]})",
                          R"({"chat_template":[{"name":1,"template":"x"}]})"}) {
    f.put(kConfig, bad);
    const auto side = f.load();
    ASSERT_FALSE(side) << bad;
    EXPECT_EQ(side.error().code, Code::kInvalid) << bad;
    EXPECT_THAT(side.error().message + fmt::format("{}", side.error().trail), HasSubstr(kConfig));
  }
  f.put(kConfig, R"({"bos_token":7,"eos_token":{"content":null}})");  // no token
  EXPECT_TRUE(f.load());
  f.put(kTokenizer, "{}");
  EXPECT_FALSE(f.load());
}

TEST(TextFolder, AFolderWithoutTokenizerJsonSaysWhatToDo) {
  const tests::TempDir dir;
  EXPECT_EQ(text_side_of_folder(dir.path()).error().code, Code::kNotFound);
  tests::write_bytes(dir / "tokenizer.model", "\n");
  const auto model_alone = text_side_of_folder(dir.path());
  EXPECT_EQ(model_alone.error().code, Code::kUnsupported);
  EXPECT_THAT(model_alone.error().message, HasSubstr("tokenizer.model"));
  EXPECT_THAT(model_alone.error().hint, HasSubstr("save_pretrained"));
}

}  // namespace
}  // namespace expunge::text
