// expunge sweep: methods × knobs × seeds on one target, each run a process.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/files.h"
#include "cli/command.h"
#include "cli/layout.h"
#include "cli/signals.h"
#include "service/sweep.h"

extern char** environ;

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using service::Sweep;

struct SweepFlags {
  std::string spec, slurm;
  std::optional<size_t> job;
};

void print_summary(Terminal& t, const Json& summary) {
  constexpr std::pair<const char*, const char*> kColumnsOf[] = {{"forget_quality", "quality"},
                                                                {"model_utility", "utility"},
                                                                {"forget_Q_A_Prob", "prob"},
                                                                {"forget_Q_A_ROUGE", "ROUGE"},
                                                                {"forget_truth_ratio", "truth"}};
  std::string head = pad("", 26);
  for (const auto& [key, label] : kColumnsOf) head += pad_left(label, 9);
  t.line("{}", t.paint(Tone::kBold, head + pad_left("time", 9)));
  for (const Json& run : summary["runs"]) {
    std::string line = pad(fit(run["label"].get<std::string>(), 25), 26);
    for (const auto& [key, label] : kColumnsOf) {
      const Json& s = run["summary"];
      line += pad_left(
          s.contains(key) && s[key].is_number() ? fmt::format("{:.3g}", s[key].get<double>()) : "-",
          9);
    }
    line += pad_left(run.contains("seconds") ? duration(run["seconds"].get<double>()) : "-", 9);
    t.line("{}", line);
  }
  t.line("{}",
         wrap(fmt::format("{} of {} runs are finished. Rule: {}.", summary["done"].get<size_t>(),
                          summary["jobs"].get<size_t>(), summary["rule"].get<std::string>()),
              kColumns, 2));
  t.line("Best: {}", summary["best"].is_null() ? "none" : summary["best"].get<std::string>());
}

// This program again, for one run; Ctrl+C reaches it too, since it is of our process group.
base::Status spawn_run(const SweepFlags& o, size_t run, const Context& context) {
  const Globals& globals = context.globals;
  std::vector<std::string> words = {"expunge", "sweep", o.spec, "--job", std::to_string(run)};
  if (globals.threads > 0)
    words.insert(words.end(), {"--threads", std::to_string(globals.threads)});
  if (globals.quiet) words.emplace_back("--quiet");
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (const int error =
          ::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, argv.data(), environ))
    return fail(Code::kIo, fmt::format("cannot start a run: {}", std::strerror(error)));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  TRY(context.job.check());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Code::kInternal,
              fmt::format("run {} ended with status {}", run,
                          WIFEXITED(status) ? WEXITSTATUS(status) : status),
              "the same command resumes with the runs that are left");
}

std::string slurm_script(const SweepFlags& o, const service::Sweep& sweep, const Globals& globals) {
  return fmt::format(
      "#!/bin/sh\n"
      "#SBATCH --job-name=expunge-sweep\n"
      "#SBATCH --array=0-{}\n"
      "#SBATCH --output={}/slurm-%a.log\n"
      "exec expunge sweep '{}' --job \"$SLURM_ARRAY_TASK_ID\"{}\n",
      sweep.runs.size() - 1, sweep.out, o.spec,
      globals.threads > 0 ? fmt::format(" --threads {}", globals.threads) : "");
}

Result<Answer> sweep(const SweepFlags& o, Context& context) {
  Terminal& t = context.terminal;
  const service::Sweep sweep = TRY(service::read_sweep(o.spec));
  if (o.job) {
    if (*o.job >= sweep.runs.size())
      return fail(Code::kUsage, fmt::format("there is no run {}", *o.job),
                  fmt::format("the sweep has 0 to {}", sweep.runs.size() - 1));
    TRY(service::do_run(sweep, *o.job, context.job));
    return Answer{Json{{"job", *o.job}, {"folder", sweep.folder(*o.job)}}};
  }
  TRY(base::make_dirs(sweep.out));
  if (!o.slurm.empty()) {
    TRY(base::write_file_atomic(o.slurm, slurm_script(o, sweep, context.globals)));
    t.line("{} runs: sbatch {}", sweep.runs.size(), printable(o.slurm));
    return Answer{Json{{"jobs", sweep.runs.size()}, {"script", o.slurm}}};
  }
  std::vector<std::string> failed;
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    t.note(fmt::format("run {} of {}: {}", i + 1, sweep.runs.size(), sweep.runs[i].label));
    if (const base::Status done = spawn_run(o, i, context); !done) {
      if (done.error().code == Code::kCancelled) return tl::unexpected(done.error());
      failed.push_back(sweep.runs[i].label);
    }
  }
  Answer answer{TRY(service::summarise(sweep))};
  print_summary(t, answer.json);
  if (answer.json.contains("report"))
    t.note("Every item: " + answer.json["report"].get<std::string>());
  if (!failed.empty())
    return fail(Code::kInternal, fmt::format("failed: {}", fmt::join(failed, ", ")),
                "their errors stand above; the same command tries them again");
  return answer;
}

Action declare_sweep(Arguments& cli) {
  auto o = std::make_shared<SweepFlags>();
  cli.add_option("spec", o->spec, "what to try, TOML")->type_name("")->required();
  cli.add_option("--job", o->job, "only this run, from 0; runs are independent")->type_name("N");
  cli.add_option("--slurm", o->slurm, "write a Slurm array script of the runs, and stop")
      ->type_name("FILE")
      ->excludes("--job");
  return [o](Context& context) { return sweep(*o, context); };
}

}  // namespace

extern const Command command_sweep;
const Command command_sweep{
    "sweep",
    "compare trainings: methods, settings, seeds",
    "A finished run is not done again. A file:\n"
    "  model = \"models/full\"\n"
    "  gold = \"models/retain95\"     # never saw the forget set: forget quality\n"
    "  data = \"TOFU\"\n"
    "  forget = \"forget05\"\n"
    "  retain = \"retain95\"\n"
    "  out = \"runs/sweep\"\n"
    "  seeds = [1, 2]\n"
    "  [npo]\n"
    "  lr = [1e-5, 2e-5]\n"
    "  [stamp]",
    declare_sweep,
    {Common::kThreads}};

}  // namespace expunge::cli
