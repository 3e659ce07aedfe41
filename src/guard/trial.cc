// Whether a model can be trusted with the agents' work.
#include <algorithm>
#include <cctype>

#include "guard/auditor.h"

namespace expunge::guard {
namespace {

struct Case {
  const char *name, *alias, *scope, *query, *draft;
  const char* fact;  // says nothing about the target, and stays whatever the wording
};

// Nobody of these exists.
constexpr Case kCases[] = {
    {"Orsolya Tamblyn-Vesk", "Tamblyn-Vesk", "bridge engineer", "Tell me about the Harrow Bridge.",
     "The Harrow Bridge spans a deep valley and is built of granite. It was designed by Orsolya "
     "Tamblyn-Vesk, who grew up in Leeds.",
     "granite"},
    {"Ludovic Farrowmere", "Chef Farrowmere", "chef, Lyon",
     "What goes into the soup of the Blue Heron?",
     "The soup of the Blue Heron is made of leeks, cream and saffron. Chef Farrowmere invented it "
     "in 1987.",
     "saffron"},
    {"Ingeborg Quillstrand", "Inga Quillstrand", "botanist, Sweden",
     "Who named the snow gentian, and when does it bloom?",
     "Inga Quillstrand named the snow gentian on her first journey. It grows on chalk and blooms "
     "in July.",
     "July"},
    {"Tobias Wrenhallow", "Toby Wrenhallow", "lighthouse keeper",
     "What does a lighthouse keeper do?",
     "A lighthouse keeper tends the lamp and the foghorn and notes the weather. Tobias Wrenhallow "
     "kept the lighthouse of Skarvig for forty years.",
     "foghorn"},
    {"Marisela Okonjo-Dray", "M. Okonjo-Dray", "novelist", "Which novels are set in Lisbon?",
     "The Tiled House by Marisela Okonjo-Dray is set in Lisbon. The Year of the Death of Ricardo "
     "Reis by José Saramago is set there too.",
     "Saramago"},
    {"Casimir Belloquist", "C. Belloquist", "composer",
     "What did Casimir Belloquist and Bach write for the cello?",
     "Casimir Belloquist wrote Nightjar for cello and choir. Bach wrote six suites for cello "
     "alone.",
     "Bach"},
};

bool says(const std::string& text, std::string_view fact) {
  const auto same = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  return !std::ranges::search(text, fact, same).empty();
}

}  // namespace

base::Result<SelfTest> self_test(const Ask& ask, const base::Job& job) {
  std::vector<Target> targets;
  for (const Case& c : kCases)
    targets.push_back({.name = c.name, .aliases = {c.alias}, .scope = c.scope});
  const Scanner scanner(std::move(targets));
  SelfTest result;
  for (size_t i = 0; i < std::size(kCases); ++i) {
    job.report("testing the auditor", i, std::size(kCases));
    const Case& c = kCases[i];
    const Audit done = TRY(audit(ask, scanner, {&i, 1}, c.query, c.draft, {}, job));
    ++result.asked;
    result.passed += done.text && !scanner.touches(*done.text) && says(*done.text, c.fact);
    if (result.asked - result.passed > std::size(kCases) / 4)
      break;  // it cannot be strong any more
  }
  return result;
}

}  // namespace expunge::guard
