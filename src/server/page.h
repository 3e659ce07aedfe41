// The page's files, which the program contains.
#pragma once

#include <span>
#include <string_view>

#include "server/app.h"

namespace expunge::server {

struct PageFile {
  std::string_view path;  // "/", "/app.js"
  std::string_view content_type;
  std::string_view bytes;
};
std::span<const PageFile> page_files();
void show_page(App& app, Call call);

}  // namespace expunge::server
