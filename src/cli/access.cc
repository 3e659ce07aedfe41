#include "cli/access.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/layout.h"
#include "text/qa_set.h"

namespace expunge::cli {

using base::Code;
using base::fail;
using base::Result;

base::Status join_group(Context& context) {
  context.group = TRY(tensor::ProcessGroup::join());
  if (!tensor::leads(context.group.get())) context.terminal.configure(Output::kNone, Notes::kQuiet);
  return {};
}

service::Place place_of(const Context& context) {
  return {context.globals.model, context.globals.journal, context.globals.activations};
}

service::Place place_of(const Context& context, const service::Scratch& scratch) {
  service::Place place = place_of(context);
  place.journal = scratch.journal();
  return place;
}

service::Note notes_of(Context& context) {
  return [&t = context.terminal](const std::string& text) { t.note(text); };
}

Result<std::unique_ptr<service::Session>> open_session(Context& context, journal::Mode mode) {
  auto session = TRY(service::open_session(place_of(context), mode));
  service::say_notes(session->present(), notes_of(context));
  return session;
}

Result<service::Reader> open_reader(Context& context, service::Edits edits) {
  if (edits == service::Edits::kIgnored)
    TRY(refuse(context, {"--journal"}, "--no-edits leaves out what it records"));
  auto reader = TRY(service::Reader::open(place_of(context), edits));
  service::say_notes(reader.chat_model(), notes_of(context));
  return reader;
}

base::Status refuse(const Context& context, std::initializer_list<std::string_view> options,
                    std::string_view why) {
  for (const std::string_view option : options)
    if (context.globals.given(option))
      return fail(Code::kUsage, fmt::format("{} has no effect: {}", option, why),
                  fmt::format("leave out {}", option));
  return {};
}

base::Status check_named_once(const Context& context, const std::string& model) {
  if (model.empty() || !context.globals.given("--model")) return {};
  return fail(Code::kUsage, "the model is named twice, by --model and by itself",
              "leave one of them out");
}

base::Status check_data_folder(const Context& context,
                               std::initializer_list<std::string_view> sets) {
  for (const std::string_view set : sets)
    if (!set.empty() && !text::is_qa_path(std::string(set))) return {};
  return refuse(context, {"--data"}, "no set is given by a name to look for in the folder");
}

Result<std::string> read_stdin(const base::Job& job) {
  constexpr size_t kMost = size_t{16} << 20;
  std::string text;
  char bytes[65536];
  for (;;) {
    TRY(job.check());
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

}  // namespace expunge::cli
