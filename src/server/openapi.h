// /openapi.json, out of the table of routes.
#pragma once

#include "server/app.h"

namespace expunge::server {

base::Json openapi(const std::vector<Route>& routes);
void show_openapi(App& app, Call call);

}  // namespace expunge::server
