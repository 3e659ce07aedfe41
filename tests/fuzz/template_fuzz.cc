// Chat templates: template text from a model's file, messages from anybody.
//
// An input is the template, then messages; a line that holds only "%%" ends each of them.
#include "fuzz/fuzz.h"
#include "text/chat_template.h"

namespace expunge::fuzz {
namespace {

constexpr std::string_view kEnd = "\n%%\n";

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(kEnd, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + kEnd.size();
  }
  return parts;
}

// A panic inside the crate comes out as an error too; it is a finding.
int refused(const base::Error& error) {
  CHECK(!error.message.empty());
  // minijinja 2.24 panics on x[::-1] of what is empty; the boundary holds it.
  constexpr std::string_view kKnown = "the len is 0 but the index is 0";
  CHECK(error.message.find("internal error") == error.message.npos ||
            error.message.find(kKnown) != error.message.npos,
        "{}", error.message);
  return 0;
}

}  // namespace

std::vector<std::string> seeds() {
  return {
      "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
      "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}\n%%\nhi\n%%\n"
      "hello\n%%\nWhat is 2 + 2?",
      "{%- set ns = namespace(sys='', found=false) %}{%- for m in messages %}{%- if m.role == "
      "'system' %}{%- set ns.sys = m.content %}{%- endif %}{%- endfor %}[{{ ns.sys }}]{{ bos_token "
      "}}\n%%\nx",
      "{% macro turn(role, text='') -%}{{ role | upper }}: {{ text | trim }}{% endmacro %}{% for m "
      "in messages[::-1] %}{{ turn(m.role, text=m.content) }}{% if loop.index > 5 %}{% break %}{% "
      "endif %}{% endfor %}\n%%\na\n%%\nb",
      "{% generation %}{{ messages | tojson(indent=2) }}{% endgeneration %}{{ '-' * 3 }}{{ "
      "strftime_now('%A, %d %B %y, %j') }}\n%%\nx"};
}
std::vector<std::string_view> dictionary() {
  return {"{%",
          "%}",
          "{{",
          "}}",
          "{#",
          "#}",
          "-%}",
          "{%-",
          "\n%%\n",
          " for m in messages ",
          " endfor ",
          " if ",
          " endif ",
          " set x = ",
          " endset ",
          "generation",
          "endgeneration",
          "messages",
          "[0]",
          "['content']",
          ".role",
          ".split(' ')",
          "[-1]",
          "[::2]",
          " | ",
          "tojson",
          "join(', ')",
          "length",
          "trim",
          "map(attribute='role')",
          "selectattr('role', 'equalto', 'user')",
          "namespace(a=1)",
          "raise_exception('x')",
          "strftime_now('%Y')",
          "range(9)",
          " ~ ",
          " * ",
          "99999999999",
          "none",
          "(",
          ")",
          "\xff",
          "\xef\xb7\x90"};
}

int fuzz_one(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const auto parts = parts_of(text);
  const auto chat = text::ChatTemplate::compile(parts[0], "<s>", "</s>");
  if (!chat) return refused(chat.error());
  std::vector<text::Message> messages;
  for (const std::string_view part : std::span(parts).subspan(1))
    messages.push_back({messages.size() % 2 == 0 ? "user" : "assistant", std::string(part)});
  const auto once = chat->render(messages, text::AddGenerationPrompt::kYes);
  return once ? 1 : refused(once.error());
}

}  // namespace expunge::fuzz
