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

repair::SessionOptions options_of(Context& context, journal::Mode mode) {
  return {context.globals.model, context.globals.journal, mode, context.terminal.progress()};
}

}  // namespace

Result<std::unique_ptr<repair::Session>> open_session(Context& context) {
  auto session = repair::Session::open(options_of(context, journal::Mode::kReadWrite));
  context.terminal.clear_progress();
  return session;
}

Result<std::optional<journal::Journal>> open_journal(Context& context, journal::Mode mode) {
  const std::string path = TRY(model::find_model(context.globals.model));
  const auto model = TRY(model::Model::load(path));
  const journal::ModelIdentity identity{TRY(model->file_hash()), "", path};
  std::string file = context.globals.journal;
  const bool named = !file.empty();
  if (!named) file = TRY(journal::default_path(identity.file_hash));
  if (access(file.c_str(), F_OK) != 0 && errno == ENOENT) {
    if (!named) return std::nullopt;
    return fail(Code::kNotFound, fmt::format("no journal at '{}'", file),
                "leave out --journal for the model's own");
  }
  return TRY(journal::Journal::open(file, identity, {mode, "", "", 5000}));
}

Result<Reader> Reader::open(Context& context, Edits edits) {
  Reader reader;
  if (edits == Edits::kApplied) {
    auto session = repair::Session::open(options_of(context, journal::Mode::kReadOnly));
    context.terminal.clear_progress();
    if (session) {
      reader.session_ = std::move(*session);
      return reader;
    }
    // Nothing was ever forgotten: the model as it is.
    if (session.error().code != Code::kNotFound || !context.globals.journal.empty())
      return tl::unexpected(std::move(session.error()));
  }
  reader.patient_ =
      std::make_unique<model::Patient>(TRY(model::load_patient(context.globals.model)));
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
