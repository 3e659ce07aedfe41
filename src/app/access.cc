#include "app/access.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "app/layout.h"
#include "base/files.h"

namespace expunge::app {
namespace {

using base::Code;
using base::fail;
using base::Result;

// A mistyped --journal must not read as a journal without entries.
base::Status check_named(const std::string& file) {
  if (file.empty() || access(file.c_str(), F_OK) == 0 || errno != ENOENT) return {};
  return fail(Code::kNotFound, fmt::format("no journal at '{}'", file),
              "leave out --journal for the model's own");
}

}  // namespace

base::Status join_group(Context& context) {
  context.group = TRY(tensor::Group::join());
  if (!tensor::leads(context.group.get())) context.terminal.configure(Output::kNone, Notes::kQuiet);
  return {};
}

Result<std::unique_ptr<repair::Session>> open_session(Context& context, journal::Mode mode) {
  const Globals& g = context.globals;
  if (mode != journal::Mode::kReadWrite) TRY(check_named(g.journal));
  auto session = repair::Session::open({g.model, g.journal, mode});
  context.terminal.clear_progress();
  return session;
}

Result<std::optional<journal::Journal>> open_journal(Context& context, journal::Mode mode) {
  TRY(check_named(context.globals.journal));
  const std::string path = TRY(model::find_model(context.globals.model));
  const model::Model model = TRY(model::Model::load(path));
  const journal::ModelIdentity identity{TRY(model.file_hash()), "", path};
  std::string file = context.globals.journal;
  if (file.empty()) file = TRY(journal::default_path(identity.file_hash));
  auto journal = journal::Journal::open(file, identity, {mode, "", "", 5000});
  if (!journal && journal.error().code == Code::kNotFound) return std::nullopt;
  return TRY(std::move(journal));
}

Result<Reader> Reader::open(Context& context, Edits edits) {
  Reader reader;
  if (edits == Edits::kApplied)
    reader.patient_ = TRY(open_session(context, journal::Mode::kReadOrEmpty))->present();
  else
    reader.patient_ = TRY(model::load_chat_model(context.globals.model));
  return reader;
}

Result<std::string> read_stdin() {
  constexpr size_t kMost = size_t{16} << 20;
  std::string text;
  char bytes[65536];
  for (;;) {
    TRY(base::check_cancel());
    const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Code::kIo, fmt::format("cannot read stdin: {}", std::strerror(errno)));
    if (n == 0) break;
    text.append(bytes, static_cast<size_t>(n));
    if (text.size() > kMost) return fail(Code::kInvalid, "stdin exceeds 16 MB");
  }
  if (!is_utf8(text))
    return fail(Code::kInvalid, "stdin is not UTF-8", "convert the text, e.g. with iconv -t UTF-8");
  return text;
}

}  // namespace expunge::app
