#include "server/page.h"

#include <algorithm>

namespace expunge::server {

namespace {

constexpr PageFile kPageFiles[] = {
#include "tables/page_files.inc"
};

}  // namespace

std::span<const PageFile> page_files() { return kPageFiles; }

void show_page(App&, Call call) {
  const auto files = page_files();
  const auto it = std::ranges::find(files, std::string_view(call.request.path), &PageFile::path);
  if (it == files.end()) return call.exchange->send(refusal(404, "there is no such page"));
  HttpResponse response{.body = std::string(it->bytes),
                        .content_type = std::string(it->content_type)};
  response.headers = {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
       "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"Cache-Control", "no-cache"},
      {"Referrer-Policy", "no-referrer"}};
  call.exchange->send(std::move(response));
}

}  // namespace expunge::server
