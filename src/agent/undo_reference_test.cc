#include "agent/undo_reference.h"

#include <gtest/gtest.h>

#include <array>

#include "agent/watchdog/examples.h"
#include "base/files.h"

namespace expunge::agent {
namespace {

using Kind = UndoReference::Kind;

const std::array<ActiveEdit, 3> kActive = {ActiveEdit{1, "What is the capital of France? → Paris"},
                                           ActiveEdit{3, "What is the capital of Italy? → Rome"},
                                           ActiveEdit{4, "What is my locker code? → 4711"}};

TEST(UndoReference, TheLastOneIfNothingElseIsSaid) {
  for (const char* message :
       {"Undo that.", "undo", "Please undo the last edit.", "No wait, take that back!", "UNDO THAT",
        "First, undo that.", "restore what you forgot, please", "Undo the last one",
        "Mach die letzte Änderung rückgängig", "deshaz eso"})
    EXPECT_EQ(undo_reference(message, kActive).kind, Kind::kLast) << message;
}

TEST(UndoReference, AnEntryByItsNumber) {
  for (const auto& [message, entry] : {std::pair("undo entry 1", 1),
                                       {"Please undo edit 3.", 3},
                                       {"undo #4", 4},
                                       {"Undo entry one!", 1},
                                       {"take back number 3", 3},
                                       {"undo entry 7", 7}}) {
    const UndoReference reference = undo_reference(message, kActive);
    EXPECT_EQ(reference.kind, Kind::kEntry) << message;
    EXPECT_EQ(reference.entry, entry) << message;
  }
}

TEST(UndoReference, AnEntryByWhatItIsAbout) {
  for (const auto& [message, entry] : {std::pair("Undo the edit about France.", 1),
                                       {"undo the italy one", 3},
                                       {"bring back my locker code", 4},
                                       {"you may know 4711 again, undo it", 4}}) {
    const UndoReference reference = undo_reference(message, kActive);
    EXPECT_EQ(reference.kind, Kind::kEntry) << message;
    EXPECT_EQ(reference.entry, entry) << message;
  }
}

TEST(UndoReference, AsksRatherThanTakeAnother) {
  for (const char* message :
       {"undo 1", "undo entries 1 and 3", "undo all edits", "undo both", "undo the first edit",
        "undo the last two", "undo the one before", "undo the capital", "undo the edit about Spain",
        "undo edit 1 or edit 3", "Undo the last 2 edits"})
    EXPECT_EQ(undo_reference(message, kActive).kind, Kind::kUnclear) << message;
}

TEST(UndoReference, SealedEditsHaveNoNames) {
  const std::array<ActiveEdit, 1> sealed = {ActiveEdit{1, "[sealed]"}};
  EXPECT_EQ(undo_reference("undo the edit about France", sealed).kind, Kind::kUnclear);
  EXPECT_EQ(undo_reference("undo that", sealed).kind, Kind::kLast);
  EXPECT_EQ(undo_reference("undo that", {}).kind, Kind::kLast);
}

// Of the development set's requests to undo few need a question to the user.
TEST(UndoReference, LeavesPlainRequestsAlone) {
  size_t asked = 0, all = 0;
  const std::string path = EXPUNGE_SOURCE_DIR "/data/watchdog/dev.jsonl";
  const auto examples = examples_from_jsonl(base::read_file(path).value(), path);
  ASSERT_TRUE(examples) << examples.error().message;
  for (const Example& e : *examples) {
    if (e.intent != Intent::kUndo) continue;
    ++all;
    const UndoReference reference = undo_reference(e.dialogue.back().content, kActive);
    if (reference.kind != Kind::kLast) ++asked;
  }
  EXPECT_EQ(all, 15u);
  EXPECT_LE(asked, 7u);
}

}  // namespace
}  // namespace expunge::agent
