// expunge sweep: methods × knobs × seeds on one target, each job a process.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/layout.h"
#include "app/sweep.h"
#include "base/files.h"

extern char** environ;

namespace expunge::app {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

struct Options {
  std::string spec, slurm;
  std::optional<size_t> job;
};

// This program again, for one job; Ctrl+C reaches it too, since it is of our group.
base::Status spawn_job(const Options& o, size_t job, const Globals& globals) {
  std::vector<std::string> words = {"expunge", "sweep", o.spec, "--job", std::to_string(job)};
  if (globals.threads > 0)
    words.insert(words.end(), {"--threads", std::to_string(globals.threads)});
  if (globals.quiet) words.emplace_back("--quiet");
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (const int error =
          ::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, argv.data(), environ))
    return fail(Code::kIo, fmt::format("cannot start a job: {}", std::strerror(error)));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  TRY(base::check_cancel());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Code::kInternal,
              fmt::format("job {} ended with status {}", job,
                          WIFEXITED(status) ? WEXITSTATUS(status) : status),
              "the same command goes on with the jobs that are left");
}

std::string slurm_script(const Options& o, const Sweep& sweep) {
  return fmt::format(
      "#!/bin/sh\n"
      "#SBATCH --job-name=expunge-sweep\n"
      "#SBATCH --array=0-{}\n"
      "#SBATCH --output={}/slurm-%a.log\n"
      "exec expunge sweep '{}' --job \"$SLURM_ARRAY_TASK_ID\"\n",
      sweep.jobs.size() - 1, sweep.out, o.spec);
}

Result<Answer> sweep(const Options& o, Context& context) {
  Terminal& t = context.terminal;
  const Sweep sweep = TRY(read_sweep(o.spec));
  if (o.job) {
    if (*o.job >= sweep.jobs.size())
      return fail(Code::kUsage, fmt::format("there is no job {}", *o.job),
                  fmt::format("the sweep has 0 to {}", sweep.jobs.size() - 1));
    TRY(run_job(sweep, *o.job, context));
    return Answer{Json{{"job", *o.job}, {"folder", sweep.folder(*o.job)}}};
  }
  TRY(base::make_dirs(sweep.out));
  if (!o.slurm.empty()) {
    TRY(base::write_file_atomic(o.slurm, slurm_script(o, sweep)));
    t.line("{} jobs: sbatch {}", sweep.jobs.size(), printable(o.slurm));
    return Answer{Json{{"jobs", sweep.jobs.size()}, {"script", o.slurm}}};
  }
  std::vector<std::string> failed;
  for (size_t i = 0; i < sweep.jobs.size(); ++i) {
    t.note(fmt::format("job {} of {}: {}", i + 1, sweep.jobs.size(), sweep.jobs[i].label));
    if (const base::Status done = spawn_job(o, i, context.globals); !done) {
      if (done.error().code == Code::kCancelled) return tl::unexpected(done.error());
      failed.push_back(sweep.jobs[i].label);
    }
  }
  Answer answer{TRY(summarise(sweep))};
  print_summary(t, answer.json);
  if (answer.json.contains("report"))
    t.note("Every item: " + answer.json["report"].get<std::string>());
  if (!failed.empty())
    return fail(Code::kInternal, fmt::format("failed: {}", fmt::join(failed, ", ")),
                "their errors stand above; the same command tries them again");
  return answer;
}

Action declare(CLI::App& cli) {
  auto o = std::make_shared<Options>();
  cli.add_option("spec", o->spec, "what to try, TOML")->type_name("")->required();
  cli.add_option("--job", o->job, "only this one, from 0; jobs are independent")->type_name("N");
  cli.add_option("--slurm", o->slurm, "write a Slurm array script of the jobs, and stop")
      ->type_name("FILE");
  return [o](Context& context) { return sweep(*o, context); };
}

}  // namespace

extern const Command command_sweep;
const Command command_sweep{
    "sweep", "compare trainings: methods, settings, seeds",
    "Done jobs are not done again. A file:\n"
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
    declare};

}  // namespace expunge::app
