#include "tools/doctor/cpu_list.hpp"

#include <gtest/gtest.h>

namespace lockstep::doctor {
namespace {

TEST(CpuList, IsWrittenAsItIsRead) {
  for (const char* text : {"0", "0-3", "0-3,8", "1,3,5-6,8191"}) {
    const auto list = CpuList::parse(text);
    ASSERT_TRUE(list) << text;
    EXPECT_EQ(list->text(), text);
  }
  EXPECT_EQ(CpuList::parse("1,0,2")->text(), "0-2");
}

TEST(CpuList, NothingIsTheEmptySet) {
  EXPECT_TRUE(CpuList::parse("")->empty());
  EXPECT_TRUE(CpuList::parse("(null)")->empty());
}

TEST(CpuList, RefusesWhatIsNoList) {
  for (const char* text : {"x", "-1", "3-1", "1,", ",1", "1--2", "1-", "8192", "0-99999999999",
                           "1 2", "0x3", "1\n2", "99999999999999999999"}) {
    EXPECT_FALSE(CpuList::parse(text)) << text;
  }
}

TEST(CpuList, SetsAreComparedAndTakenApart) {
  const CpuList all = *CpuList::parse("0-7");
  const CpuList some = *CpuList::parse("2-3,9");
  EXPECT_EQ(all.common_with(some).text(), "2-3");
  EXPECT_EQ(all.without(some).text(), "0-1,4-7");
  EXPECT_FALSE(all.contains_all_of(some));
  EXPECT_TRUE(all.contains_all_of(*CpuList::parse("0,7")));
}

}  // namespace
}  // namespace lockstep::doctor
