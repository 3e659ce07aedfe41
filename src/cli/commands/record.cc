// expunge log, show and seal: what the journal holds. No weights are computed.
#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "service/entries.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

// What has become of the entries.
class Standing {
 public:
  static Result<Standing> of(const journal::Journal& journal) {
    Standing s;
    s.entries_ = TRY(journal.entries());
    for (const journal::Entry& e : TRY(journal.active())) s.active_.push_back(e.id);
    return s;
  }
  const std::vector<journal::Entry>& entries() const { return entries_; }
  const std::vector<int64_t>& active() const { return active_; }
  bool is_active(int64_t id) const { return std::ranges::find(active_, id) != active_.end(); }

  // "active", "active, partial", "undone by 2", "replaced by 3", "undo", "verify".
  std::string state(const journal::Entry& e) const {
    if (is_active(e.id)) return e.verdict == "partial" ? "active, partial" : "active";
    if (const int64_t by = undone_by(e.id)) return fmt::format("undone by {}", by);
    if (const int64_t by = replaced_by(e.id)) return fmt::format("replaced by {}", by);
    return std::string(journal::name(e.kind));
  }
  Json json(const journal::Entry& e) const {
    Json json = journal::to_json(e);
    json["active"] = is_active(e.id);
    if (const int64_t by = undone_by(e.id)) json["undone_by"] = by;
    return json;
  }

 private:
  int64_t undone_by(int64_t id) const {
    for (const journal::Entry& e : entries_)
      if (e.kind == journal::Kind::kUndo && e.undoes == id) return e.id;
    return 0;
  }
  int64_t replaced_by(int64_t id) const {
    for (const journal::Entry& e : entries_)
      if (is_active(e.id) && std::ranges::count(e.replaces, id)) return e.id;
    return 0;
  }
  std::vector<journal::Entry> entries_;
  std::vector<int64_t> active_;
};

Result<Answer> log(Context& context) {
  Terminal& t = context.terminal;
  const auto journal = TRY(service::open_journal(place_of(context), journal::Mode::kReadOnly));
  Answer answer;
  answer.json = {{"journal", nullptr}, {"active", Json::array()}, {"entries", Json::array()}};
  if (!journal) {
    t.line("Nothing has been forgotten yet.");
    return answer;
  }
  const Standing standing = TRY(Standing::of(*journal));
  answer.json["journal"] = journal->path();
  answer.json["active"] = standing.active();
  for (const journal::Entry& e : standing.entries()) {
    answer.json["entries"].push_back(standing.json(e));
    const std::string state = standing.state(e);
    const Tone tone = !standing.is_active(e.id) ? Tone::kDim
                      : e.verdict == "partial"  ? Tone::kWarn
                                                : Tone::kGood;
    const std::string when = e.time.substr(0, 10) + " " + e.time.substr(11, 5);
    t.line("{}  {}  {}  {}", pad_left(std::to_string(e.id), 4), t.paint(Tone::kDim, when),
           t.paint(tone, pad(state, 15)), fit(service::title(e), kColumns - 41));
  }
  if (standing.entries().empty())
    t.line("Nothing has been forgotten yet.");
  else
    t.line("{}", t.paint(Tone::kDim,
                         fmt::format("      {} active, times in UTC", standing.active().size())));
  return answer;
}

Result<journal::Journal> must_open(Context& context, journal::Mode mode) {
  auto journal = TRY(service::open_journal(place_of(context), mode));
  if (!journal)
    return fail(Code::kNotFound, "nothing has been forgotten yet", "see 'expunge forget --help'");
  return std::move(*journal);
}

Result<Answer> show(Context& context, int64_t id) {
  Terminal& t = context.terminal;
  const auto journal = TRY(must_open(context, journal::Mode::kReadOnly));
  const journal::Entry e = TRY(journal.entry(id));
  const Standing standing = TRY(Standing::of(journal));
  const auto row = [&](std::string_view key, const std::string& value) {
    if (!value.empty())
      t.line("{}{}", t.paint(Tone::kDim, pad(key, 10)), fit(value, kColumns - 10));
  };
  t.line("{}", t.paint(Tone::kBold, fit(fmt::format("{}  {}", e.id, service::title(e)), kColumns)));
  row("kind", std::string(journal::name(e.kind)) + (e.sealed ? ", sealed" : ""));
  row("state", standing.state(e) + (e.undoes != 0 ? fmt::format(" of {}", e.undoes) : ""));
  row("time", e.time);
  row("method", e.method);
  row("edit",
      e.edit_hash.empty() ? "" : fmt::format("{:.16}… {} bytes", e.edit_hash, e.edit_bytes));
  row("weights", e.weights_hash);
  row("model", e.base_hash);
  row("made by", fmt::format("expunge {}, LibTorch {}, seed {}", e.expunge, e.libtorch, e.seed));
  const Json none = Json::object();
  const auto part = [&](const char* key) -> const Json& {
    return e.report.is_object() && e.report.contains(key) ? e.report[key] : none;
  };
  const auto report_of = [&](const char* key) {
    return service::is_trained(e) ? service::trained_report(e, part(key))
                                  : verify::report_from_json(part(key));
  };
  if (const verify::Report after = report_of("after"); !after.gates.empty()) {
    const verify::Report before = report_of("before");
    t.print(gate_table(t, before.gates.empty() ? nullptr : &before, after));
    t.print(reply_list(t, after));
  }
  return Answer{standing.json(e)};
}

Result<Answer> seal(Context& context, int64_t id) {
  auto journal = TRY(must_open(context, journal::Mode::kUpdate));
  TRY(journal.seal(id));
  context.terminal.line("Entry {} is sealed: its words are out of the journal.", id);
  return Answer{Json{{"sealed", id}}};
}

void add_id(Arguments& cli, int64_t& id) {
  cli.add_option("id", id, "an entry's number, as 'expunge log' shows it")
      ->type_name("")
      ->required()
      ->positive();
}

}  // namespace

extern const Command command_log, command_show, command_seal;
const Command command_log{
    "log", "what has been forgotten, and undone", "",
    [](Arguments&) -> Action { return [](Context& context) { return log(context); }; }};
const Command command_show{"show", "one entry with its evidence", "Example:\n  expunge show 1",
                           [](Arguments& cli) -> Action {
                             auto id = std::make_shared<int64_t>(0);
                             add_id(cli, *id);
                             return [id](Context& context) { return show(context, *id); };
                           }};
const Command command_seal{
    "seal", "take an entry's words out of the journal",
    "Hashes, figures and the edit stay: the entry can be undone, not asked again.\n"
    "Example:\n  expunge seal 1",
    [](Arguments& cli) -> Action {
      auto id = std::make_shared<int64_t>(0);
      add_id(cli, *id);
      return [id](Context& context) { return seal(context, *id); };
    }};

}  // namespace expunge::cli
