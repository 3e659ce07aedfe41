// How a command gets its model, its journal and its input.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "cli/command.h"
#include "service/access.h"
#include "service/scratch.h"

namespace expunge::cli {

// Joins the group of processes that the environment describes; all but rank 0 print nothing.
base::Status join_group(Context& context);

// What -m and --journal name.
service::Place place_of(const Context& context);
// The same model with a journal of its own.
service::Place place_of(const Context& context, const service::Scratch& scratch);
// Prints what the service has to say besides its results.
service::Note notes_of(Context& context);
// These say what the user should know about the model's text side. Without edits --journal is
// refused.
base::Result<std::unique_ptr<service::Session>> open_session(Context& context, journal::Mode mode);
base::Result<service::Reader> open_reader(Context& context, service::Edits edits);

// Refuses those of the options ("--raw") that were given: they have no effect, and why.
base::Status refuse(const Context& context, std::initializer_list<std::string_view> options,
                    std::string_view why);
// Refuses -m beside a model that is named by itself.
base::Status check_named_once(const Context& context, const std::string& model);
// Refuses --data where none of the sets, as text::qa_file takes them, is looked for in its folder.
base::Status check_data_folder(const Context& context,
                               std::initializer_list<std::string_view> sets);

// Whole stdin; kInvalid if it is not UTF-8 or above 16 MB.
base::Result<std::string> read_stdin(const base::Job& job);

}  // namespace expunge::cli
