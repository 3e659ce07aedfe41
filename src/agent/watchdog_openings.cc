#include "agent/watchdog_openings.h"

#include <algorithm>

namespace expunge::agent {
namespace {

// Phrases that may precede an order without changing that it is one.
const std::vector<Pattern::Phrase>& fillers() {
  static const std::vector<Pattern::Phrase> kFillers = [] {
    std::vector<Pattern::Phrase> all;
    for (const char* text : {"please",
                             "pls",
                             "plz",
                             "kindly",
                             "hey",
                             "hi",
                             "hello",
                             "morning",
                             "good morning",
                             "ok",
                             "okay",
                             "now",
                             "just",
                             "so",
                             "and",
                             "then",
                             "also",
                             "well",
                             "umm",
                             "um",
                             "uh",
                             "right",
                             "yes",
                             "yeah",
                             "yep",
                             "sure",
                             "no",
                             "haha",
                             "lol",
                             "oh",
                             "actually",
                             "but",
                             "btw",
                             "today",
                             "you",
                             "u",
                             "can you",
                             "can u",
                             "could you",
                             "could u",
                             "would you",
                             "will you",
                             "would u",
                             "can you please",
                             "could you please",
                             "i want you to",
                             "i want u to",
                             "i need you to",
                             "need you to",
                             "want you to",
                             "i'd like you to",
                             "i would like you to",
                             "i'd prefer you to",
                             "i'd rather you",
                             "you should",
                             "you must",
                             "you have to",
                             "you need to",
                             "u need to",
                             "u should",
                             "i ask you to",
                             "i'm asking you to",
                             "we ask you to",
                             "we request you to",
                             "go ahead and",
                             "be so kind and",
                             "be so kind as to",
                             "would you mind",
                             "do me a favour and",
                             "do me a favor and",
                             "make sure to",
                             "make sure you",
                             "make sure that you",
                             "i demand that you",
                             "i insist that you",
                             "it's time to",
                             "time to",
                             "first",
                             "next",
                             "finally",
                             "immediately",
                             "permanently",
                             "completely",
                             "entirely",
                             "simply",
                             "quickly",
                             "asap",
                             "lets just",
                             "try to",
                             "bitte",
                             "also",
                             "dann",
                             "und",
                             "jetzt",
                             "kannst du",
                             "könntest du",
                             "können sie",
                             "könnten sie",
                             "würdest du",
                             "du sollst",
                             "mach mal",
                             "mal",
                             "por favor",
                             "y",
                             "ahora",
                             "puedes",
                             "podrías",
                             "puede",
                             "podría",
                             "quiero que",
                             "necesito que",
                             "quisiera que",
                             "me gustaría que",
                             "hola",
                             "s'il te plaît",
                             "s il te plaît",
                             "s il vous plaît",
                             "et",
                             "alors",
                             "maintenant",
                             "peux-tu",
                             "tu peux",
                             "pourrais-tu",
                             "pouvez-vous",
                             "pourriez-vous",
                             "je veux que tu",
                             "je voudrais que tu",
                             "j aimerais que tu",
                             "bonjour",
                             "请",
                             "麻烦",
                             "你",
                             "帮我",
                             "给我",
                             "能不能",
                             "可以",
                             "能",
                             "现在",
                             "我要你",
                             "我希望你",
                             "我想让你",
                             ","})
      all.push_back(phrase_of(text));
    std::ranges::sort(all, std::greater<>(), &Pattern::Phrase::size);
    return all;
  }();
  return kFillers;
}

size_t filler_at(std::span<const Word> words, size_t at) {
  for (const Pattern::Phrase& phrase : fillers()) {
    if (at + phrase.size() > words.size()) continue;
    bool same = true;
    for (size_t i = 0; same && i < phrase.size(); ++i) same = words[at + i].text == phrase[i];
    if (same) return phrase.size();
  }
  return 0;
}

}  // namespace

void mark_openings(std::vector<Word>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view before = i == 0 ? std::string_view(".") : words[i - 1].text;
    const bool start = i == 0 || words[i - 1].breaks || before == "," || before == ":" ||
                       before == "-" || before == "and" || before == "und" || before == "y" ||
                       before == "et" || before == "then" || before == ")";
    if (!start) continue;
    size_t at = i;
    words[at].opens = true;
    for (size_t n; at < words.size() && (n = filler_at(words, at)) > 0;) {
      at += n;
      if (at < words.size()) words[at].opens = true;
    }
  }
}

}  // namespace expunge::agent
