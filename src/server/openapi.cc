#include "server/openapi.h"

#include "base/version.h"

namespace expunge::server {

using base::Json;

namespace {

Json parameter(const std::string& name) {
  return {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}};
}

// "/v1/expunge/entries/{}/undo" -> "/v1/expunge/entries/{id}/undo"
std::string named(std::string_view path) {
  std::string text(path);
  if (const size_t at = text.find("{}"); at != text.npos) text.insert(at + 1, "id");
  return text;
}

Json body_of(const Route& route) {
  Json properties = Json::object();
  for (const BodyField& field : route.body) {
    Json schema = {{"description", field.help}};
    if (!field.type.empty()) schema["type"] = field.type;
    properties[std::string(field.name)] = std::move(schema);
  }
  return {{"type", "object"}, {"properties", std::move(properties)}};
}

}  // namespace

Json openapi(const std::vector<Route>& routes) {
  Json paths = Json::object();
  for (const Route& route : routes) {
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    Json operation = {{"summary", route.summary}};
    if (route.path.find("{}") != route.path.npos)
      operation["parameters"] = Json::array({parameter("id")});
    if (route.scope) {
      operation["security"] = Json::array({{{"key", Json::array({service::name(*route.scope)})}}});
      operation["x-scope"] = service::name(*route.scope);
    }
    if (route.method == "POST")
      operation["requestBody"] = {
          {"content", {{"application/json", {{"schema", body_of(route)}}}}}};
    operation["responses"] = {
        {"200", {{"description", "done"}}},
        {"4XX",
         {{"description", "refused"},
          {"content",
           {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}}}};
    paths[named(route.path)][method] = std::move(operation);
  }
  const Json error = {{"type", "object"},
                      {"properties",
                       {{"error",
                         {{"type", "object"},
                          {"properties",
                           {{"message", {{"type", "string"}}},
                            {"type", {{"type", "string"}}},
                            {"code", {{"type", "string"}}},
                            {"hint", {{"type", "string"}}}}}}}}}};
  return {{"openapi", "3.1.0"},
          {"info", {{"title", "expunge"}, {"version", base::kVersion}}},
          {"paths", std::move(paths)},
          {"components",
           {{"schemas", {{"Error", error}}},
            {"securitySchemes", {{"key", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
}

void show_openapi(App& app, Call call) { respond(app, call, openapi(routes())); }

}  // namespace expunge::server
