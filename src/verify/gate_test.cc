// The table of gates: what each entry must contain, and that the documents agree.
#include "verify/gate.h"

#include <gmock/gmock.h>

#include "base/files.h"
#include "base/json.h"

namespace expunge::verify {
namespace {

using ::testing::HasSubstr;

TEST(GateTable, EveryGateIsWhole) {
  EXPECT_GE(gates().size(), 8);
  for (const Gate* g : gates()) {
    SCOPED_TRACE(g->name);
    EXPECT_EQ(find_gate(g->name), g);
    EXPECT_FALSE(g->label.empty());
    EXPECT_LE(g->label.size(), 22);
    EXPECT_FALSE(g->what.empty());
    EXPECT_FALSE(g->citation.empty());
    EXPECT_NE(g->questions == nullptr, g->figure == nullptr);
    EXPECT_EQ(g->questions != nullptr, g->unit == Unit::kShare);
    EXPECT_EQ(g->section == Section::kLanguage, g->figure != nullptr);
    EXPECT_TRUE(g->low <= g->bound && g->bound <= g->high);
    if (g->questions) {
      EXPECT_EQ(g->sense, Sense::kAtLeast);
    }
  }
  EXPECT_EQ(find_gate("nothing"), nullptr);
}

TEST(GateTable, SectionsComeInOrder) {
  for (size_t i = 1; i < gates().size(); ++i)
    EXPECT_TRUE(std::pair(gates()[i - 1]->section, gates()[i - 1]->name) <
                std::pair(gates()[i]->section, gates()[i]->name));
}

TEST(Bounds, AreCompletedAndChecked) {
  const Bounds all = complete_bounds({{"neighbours", 0.9}}).value();
  EXPECT_EQ(all.size(), gates().size());
  EXPECT_EQ(all.at("neighbours"), 0.9);
  EXPECT_EQ(all.at("exact"), find_gate("exact")->bound);
  for (const auto& [name, bound] :
       {std::pair("perplexity", 0.5), {"exact", 1.01}, {"cause", 1.0}}) {
    const auto refused = complete_bounds({{name, bound}});
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, base::Code::kInvalid);
    EXPECT_THAT(refused.error().message, HasSubstr(fmt::format("/gates/{}: expected", name)));
  }
}

TEST(GateDocuments, ThePlansSchemaHoldsTheTable) {
  const auto schema = base::read_json(EXPUNGE_SOURCE_DIR "/docs/plan.schema.json").value();
  const base::Json& known = schema["$defs"]["gates"]["properties"];
  EXPECT_EQ(known.size(), gates().size());
  for (const Gate* g : gates()) {
    ASSERT_TRUE(known.contains(g->name)) << g->name;
    const base::Json& bound = known[std::string(g->name)];
    EXPECT_EQ(bound["type"], "number");
    EXPECT_DOUBLE_EQ(bound["minimum"].get<double>(), g->low) << g->name;
    EXPECT_DOUBLE_EQ(bound["maximum"].get<double>(), g->high) << g->name;
    EXPECT_DOUBLE_EQ(bound["default"].get<double>(), g->bound) << g->name;
  }
}

TEST(GateDocuments, TheCommandsReferenceListsThem) {
  const auto page = base::read_file(EXPUNGE_SOURCE_DIR "/docs/commands.md").value();
  for (const Gate* g : gates())
    EXPECT_THAT(page, HasSubstr(fmt::format("| `{}` | {} | {} {} | {} |\n", g->name, name(g->unit),
                                            g->sense == Sense::kAtLeast ? "at least" : "at most",
                                            g->bound, g->what)));
}

}  // namespace
}  // namespace expunge::verify
