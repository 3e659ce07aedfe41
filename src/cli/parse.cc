#include "cli/parse.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <map>

#include "cli/arguments.h"
#include "cli/layout.h"
#include "tensor/version.h"

#ifndef EXPUNGE_VERSION
#error "EXPUNGE_VERSION comes from CMake"
#endif

namespace expunge::cli {
namespace {

constexpr const char* kAbout =
    "expunge makes a local language model forget on request, shows the evidence,\n"
    "and can make it remember again. The model's file is never written.";
constexpr const char* kFooter =
    "\"expunge COMMAND --help\" tells more. Documentation: docs/commands.md\n"
    "EXPUNGE_HOME: where journals lie. EXPUNGE_CACHE: models, what is learned once.";
constexpr size_t kNameColumns = 28;

// CLI11's help, without its type labels and in 80 columns.
class Formatter : public CLI::Formatter {
 public:
  explicit Formatter(std::span<const CommandGroup> groups) : groups_(groups) {}

  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = "Usage: " + name;
    for (const CLI::Option* o : app->get_options())
      if (o->get_positional())
        usage += o->get_required() ? " " + o->get_name() : " [" + o->get_name() + "]";
    if (app->get_parent() == nullptr)
      usage += " COMMAND";
    else if (!app->get_subcommands({}).empty())
      usage += " [WHAT]";
    return usage + " [options]\n";
  }
  std::string make_subcommands(const CLI::App* app, CLI::AppFormatMode) const override {
    std::string out;
    const auto row = [&](std::string_view name, std::string_view help) {
      out += "  " + entry(std::string(name), 12, std::string(help));
    };
    if (app->get_parent() == nullptr) {
      for (const CommandGroup& g : groups_) {
        out += fmt::format("\n{}:\n", g.title);
        for (const Command* c : g.commands) row(c->name, c->help);
      }
    } else if (const auto subs = app->get_subcommands({}); !subs.empty()) {
      out += "\nWhat:\n";
      for (const CLI::App* sub : subs) row(sub->get_name(), sub->get_description());
    }
    return out;
  }
  std::string make_option(const CLI::Option* o, bool positional) const override {
    std::string name = positional ? o->get_name(true) : o->get_name(false, true);
    for (size_t at; (at = name.find(',')) != name.npos && name.find(", ") != at;)
      name.replace(at, 1, ", ");
    if (!positional && o->get_items_expected_max() > 0 && !o->get_type_name().empty())
      name += " " + o->get_type_name();
    return "  " + entry(name, kNameColumns, o->get_description());
  }
  std::string make_group(std::string group, bool positional,
                         std::vector<const CLI::Option*> options) const override {
    std::string out = "\n" + (group == "Positionals" ? "Arguments" : group) + ":\n";
    for (const CLI::Option* o : options) out += make_option(o, positional);
    return out;
  }
  std::string make_footer(const CLI::App* app) const override {
    return app->get_footer().empty() ? "" : "\n" + app->get_footer() + "\n";
  }

 private:
  static std::string entry(const std::string& name, size_t width, const std::string& help) {
    const bool fits = columns(name) + 2 <= width;
    const std::string head = fits ? pad(name, width) : name + "\n" + std::string(width + 2, ' ');
    const std::string text = wrap(help, kColumns - 2 - width, width + 2);
    return head + text + "\n";
  }
  std::span<const CommandGroup> groups_;
};

// The options outside `shown` are read only to be refused, and the help leaves them out.
void add_common(CLI::App& app, Globals& g, CommonSet shown) {
  const auto common = [shown](Common which, CLI::Option* o) {
    return o->group(shown.has(which) ? kCommonOptions : "");
  };
  common(Common::kModel,
         app.add_option("-m,--model", g.model,
                        "GGUF file, Hugging Face folder, or an id in its local cache; default: "
                        "SmolLM2-135M-Instruct"))
      ->type_name("MODEL");
  common(Common::kJournal,
         app.add_option("--journal", g.journal, "the record of edits; default: one per model"))
      ->type_name("FILE");
  common(Common::kThreads,
         app.add_option("--threads", g.threads, "processor threads; default: all cores"))
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  common(
      Common::kActivations,
      app.add_option_function<std::string>(
          "--activations",
          [&g](const std::string& name) { g.activations = *tensor::activations_from_name(name); },
          "float, or q8: rounded before products as llama.cpp rounds them"))
      ->type_name("NAME")
      ->check(CLI::IsMember({"float", "q8"}));
  for (CLI::Option* o :
       {app.add_flag("--json", g.json, "one JSON object on stdout, nothing else there"),
        app.add_flag("-q,--quiet", g.quiet, "no progress and notes on stderr"),
        app.set_help_flag("-h,--help", "this text")})
    o->group(kCommonOptions);
}

// What was given to the app and to the commands in it that were named.
void list_given(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    if (option->count() > 0)
      names.push_back(option->get_positional() ? option->get_name()
                                               : "--" + option->get_single_name());
  for (const CLI::App* sub : app.get_subcommands()) list_given(*sub, names);
}

base::Status check_common(const Command& command, const Globals& globals) {
  constexpr std::pair<Common, std::string_view> kNames[] = {
      {Common::kModel, "--model"},
      {Common::kJournal, "--journal"},
      {Common::kThreads, "--threads"},
      {Common::kActivations, "--activations"}};
  for (const auto& [option, name] : kNames)
    if (globals.given(name) && !command.common.has(option))
      return base::fail(
          base::Code::kUsage, fmt::format("{} does not take {}", command.name, name),
          fmt::format("leave it out; 'expunge {} --help' lists what it takes", command.name));
  return {};
}

std::string sentence(std::string text) {
  while (text.ends_with('\n') || text.ends_with('.')) text.pop_back();
  if (!text.empty() && text[0] == 'T' && text.starts_with("The ")) text[0] = 't';
  return printable(one_line(text));
}

}  // namespace

base::Result<Parsed> parse(std::span<const CommandGroup> groups, int argc, char** argv,
                           Globals& globals) {
  CLI::App app(kAbout, "expunge");
  app.formatter(std::make_shared<Formatter>(groups));
  app.footer(kFooter);
  app.require_subcommand(0, 1);
  add_common(app, globals, kAllCommon);
  const std::string version =
      fmt::format("expunge {} (LibTorch {})\n", EXPUNGE_VERSION, tensor::libtorch_version());
  app.set_version_flag("--version", version)->group(kCommonOptions);
  std::map<const CLI::App*, std::pair<Action, const Command*>> actions;
  for (const CommandGroup& group : groups)
    for (const Command* c : group.commands) {
      CLI::App* sub = app.add_subcommand(std::string(c->name), std::string(c->help));
      add_common(*sub, globals, c->common);
      sub->footer(std::string(c->examples));
      Arguments arguments(*sub);
      actions[sub] = {c->declare(arguments), c};
      for (CLI::App* inner : sub->get_subcommands({})) add_common(*inner, globals, c->common);
    }
  // Before parsing, so that a wrong flag's error has the requested form.
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    globals.json |= std::string_view(argv[i]) == "--json";
  std::string where = "expunge";
  for (const auto& [sub, action] : actions)
    if (argc > 1 && sub->get_name() == argv[1]) where += " " + sub->get_name();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Parsed{{}, app.help()};
  } catch (const CLI::CallForVersion&) {
    return Parsed{{}, version};
  } catch (const CLI::ParseError& e) {
    return base::fail(base::Code::kUsage, sentence(e.what()),
                      fmt::format("'{} --help' lists what it takes", where));
  } catch (const std::logic_error& e) {  // std::stoll inside CLI11, for --yes=maybe
    if (dynamic_cast<const base::Bug*>(&e)) throw;
    return base::fail(base::Code::kUsage, "a flag was given a value that it does not take",
                      fmt::format("'{} --help' lists what it takes", where));
  }
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) return Parsed{{}, app.help()};
  const auto& [action, command] = actions.at(chosen.front());
  list_given(app, globals.names);
  TRY(check_common(*command, globals));
  return Parsed{action, std::nullopt};
}

}  // namespace expunge::cli
