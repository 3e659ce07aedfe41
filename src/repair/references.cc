#include "repair/references.h"

#include "agent/wordings.h"
#include "base/files.h"
#include "base/hash.h"
#include "repair/problem.h"

namespace expunge::repair {

base::Result<verify::References> load_references(const model::Patient& patient, int64_t layer) {
  constexpr const char* kVersion = "1";
  constexpr size_t kUnrelated = 12, kTexts = 2;
  const agent::Wordings& wordings = agent::Wordings::builtin();
  const auto prompts = spread(wordings.unrelated, kUnrelated);
  std::vector<std::vector<int32_t>> ids, texts;
  for (const std::string& p : prompts) ids.push_back(TRY(encode(patient, p)));
  for (const std::string& t : spread(wordings.prose, kTexts))
    texts.push_back(TRY(patient.tokenizer.encode(t)).ids);
  // The tokens name wordings and template at once.
  const std::string key =
      base::sha256_hex(fmt::format("{} {} {} {} {}", kVersion, TRY(patient.model->file_hash()),
                                   layer, fmt::join(ids, ";"), fmt::join(texts, ";")));
  const std::string folder = TRY(base::cache_dir()) + "/backgrounds";
  const std::string path = fmt::format("{}/{}.references", folder, key.substr(0, 32));
  if (const auto bytes = base::read_file(path))
    if (auto cached = verify::deserialise_references(*bytes);
        cached && cached->unrelated.size() == ids.size() && cached->texts.size() == texts.size())
      return std::move(*cached);
  auto learned = TRY(verify::learn_references(*patient.model, prompts, ids, texts, layer));
  TRY(base::make_dirs(folder));
  TRY(base::write_file_atomic(path, verify::serialise(learned)));
  return learned;
}

}  // namespace expunge::repair
