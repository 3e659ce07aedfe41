// The handlers of OpenAI's routes; see routes.cc.
#pragma once

#include "server/app.h"

namespace expunge::server {

void chat_completions(App& app, Call call);
void completions(App& app, Call call);
void list_models(App& app, Call call);
void show_model_entry(App& app, Call call);
void tokenize(App& app, Call call);

}  // namespace expunge::server
