#include "text/sequence_set.h"

#include <gmock/gmock.h>

#include <fstream>

namespace expunge::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string file_of(const std::string& name, const std::string& content) {
  const std::string path = ::testing::TempDir() + "/" + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

// As numpy.save writes it: the header ends a multiple of 64 bytes.
std::string npy(const std::string& descr, const std::string& shape, const std::string& numbers) {
  std::string header =
      "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(128 - 10 - 1, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header +
         numbers;
}

base::Result<std::vector<std::vector<int32_t>>> ids_of(const std::string& content) {
  return read_token_ids(std::vector{file_of("sequence_set_test.npy", content)});
}

TEST(SequenceSet, ReadsTexts) {
  const std::string table =
      file_of("sequence_set_test.csv", "doc_id,corpus,text\n7,github,\"a,\nb\"\n8,books,c\n");
  EXPECT_THAT(read_texts(table).value(), ElementsAre("a,\nb", "c"));
  EXPECT_THAT(read_texts(table, 1).value(), ElementsAre("a,\nb"));
  EXPECT_THAT(read_texts(file_of("sequence_set_test.jsonl", "{\"text\":\"x\"}\n\n{\"text\":\"y\"}"))
                  .value(),
              ElementsAre("x", "y"));
  for (const auto& [content, what] : std::vector<std::pair<std::string, std::string>>{
           {"1,2,3\n", ": its first row names no column 'text'"},
           {"", ": its first row names"},
           {"text\n", " holds no text"},
           {"id,text\n\n1,\n", ":3: the text is empty"},
           {"id,text\n1\n", ":2: 1 columns"}})
    EXPECT_THAT(read_texts(file_of("sequence_set_bad.csv", content)).error().message,
                HasSubstr("sequence_set_bad.csv" + what));
  for (const char* bad : {"1", "{}", R"({"text":1})", R"({"text":""})", "{"})
    EXPECT_THAT(
        read_texts(file_of("sequence_set_bad.json", "{\"text\":\"x\"}\n" + std::string(bad)))
            .error()
            .message,
        HasSubstr("sequence_set_bad.json:2"))
        << bad;
}

TEST(SequenceSet, ReadsTokenIds) {
  const std::string first =
      file_of("sequence_set_1.npy", npy("<u2", "(2, 2)", std::string("\1\0\xff\xff\3\0\4\0", 8)));
  const std::string second =
      file_of("sequence_set_2.npy",
              npy("<i8", "(2, 1)", std::string("\5\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0", 16)));
  EXPECT_THAT(read_token_ids(std::vector{first, second}).value(),
              ElementsAre(ElementsAre(1, 65535, 5), ElementsAre(3, 4, 6)));
  EXPECT_THAT(read_token_ids(std::vector{first}, 1).value(), ElementsAre(ElementsAre(1, 65535)));
  EXPECT_THAT(ids_of(npy("|u1", "(1, 2)", "ab")).value(), ElementsAre(ElementsAre(97, 98)));
}

TEST(SequenceSet, RefusesOtherArrays) {
  for (const auto& [content, what] : std::vector<std::pair<std::string, std::string>>{
           {"", "not a NumPy array"},
           {std::string("\x93NUMPY\x01\x00\xff\xff..", 12), "its header is cut off"},
           {npy("<f4", "(1, 1)", "abcd"), "its header is {'descr': '<f4'"},
           {npy(">u2", "(1, 1)", "ab"), "its header is"},
           {npy("<u2", "(2,)", "abcd"), "its header is"},
           {npy("<u2", "(2, 1)", "abc"), "3 bytes of numbers, expected 2 x 1 x 2"},
           {npy("<u2", "(999999999999, 999999)", "abc"), "3 bytes"},
           {npy("<u2", "(0, 1)", ""), "it has no rows"},
           {npy("|i1", "(1, 1)", "\xff"), "row 0 column 0 is not a token id"},
           {npy("<u4", "(1, 2)", std::string("\0\0\0\0\0\0\0\x80", 8)),
            "row 0 column 1 is not a token id"}})
    EXPECT_THAT(ids_of(content).error().message, HasSubstr("sequence_set_test.npy: " + what));
  const std::string one = file_of("sequence_set_1.npy", npy("|u1", "(1, 1)", "a")),
                    two = file_of("sequence_set_2.npy", npy("|u1", "(2, 1)", "ab"));
  EXPECT_THAT(read_token_ids(std::vector{one, two}).error().message, HasSubstr("2 rows"));
  EXPECT_EQ(read_token_ids(std::vector<std::string>{"/nowhere.npy"}).error().code,
            base::Code::kNotFound);
}

}  // namespace
}  // namespace expunge::text
