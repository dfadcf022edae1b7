# What takes hours: every test here has the label `long`, and ci/long runs nothing else.

# Each part is one test, so that a failure costs one part and the log shows how far it came.
set(seeds_per_part 10000)
foreach(part RANGE 0 19)
  math(EXPR first_seed "${part} * ${seeds_per_part} + 1")
  add_test(NAME long.sim.from_${first_seed}
           COMMAND ${CMAKE_BINARY_DIR}/lockstep sim --seeds ${seeds_per_part}
                   --seed ${first_seed})
  set_tests_properties(long.sim.from_${first_seed} PROPERTIES LABELS long TIMEOUT 7200)
endforeach()

foreach(part RANGE 0 9)
  math(EXPR first_seed "${part} * ${seeds_per_part} + 1")
  add_test(NAME long.views.from_${first_seed}
           COMMAND ${CMAKE_BINARY_DIR}/lockstep sim --faults all --seeds ${seeds_per_part}
                   --seed ${first_seed})
  set_tests_properties(long.views.from_${first_seed} PROPERTIES LABELS long TIMEOUT 7200)
endforeach()

add_test(NAME long.conformance
         COMMAND $<TARGET_FILE:test_transports> --gtest_filter=*Conformance.*)
set_tests_properties(long.conformance PROPERTIES LABELS long TIMEOUT 14400
  ENVIRONMENT LOCKSTEP_CONFORMANCE_WRITES=10000000)

# Two hundred times killed and back, over each medium; ten minutes beside four busy loops.
add_test(NAME long.rejoin
         COMMAND $<TARGET_FILE:process_tests> --gtest_filter=*OverAndOver*:*BesideBusyLoops*)
set_tests_properties(long.rejoin PROPERTIES LABELS long TIMEOUT 7200
  ENVIRONMENT "LOCKSTEP_REJOIN_CYCLES=200;LOCKSTEP_BUSY_SECONDS=600")
# A state of 1 GiB, while messages flow.
add_test(NAME long.state
         COMMAND $<TARGET_FILE:process_tests> --gtest_filter=*NobodyWaitsForALargeState*)
set_tests_properties(long.state PROPERTIES LABELS long TIMEOUT 1800
  ENVIRONMENT "LOCKSTEP_STATE_MIB=1024")
# A hundred times stopped for good, noticed within 5 s, and nobody else evicted.
add_test(NAME long.stopped
         COMMAND $<TARGET_FILE:process_tests> --gtest_filter=*GoOnWithoutAStoppedMember*
                 --gtest_repeat=50)
set_tests_properties(long.stopped PROPERTIES LABELS long TIMEOUT 7200)

add_fuzz_tests(long.fuzz 600 long)

add_test(NAME long.model COMMAND ${CMAKE_SOURCE_DIR}/ci/check-model --long)
set_tests_properties(long.model PROPERTIES LABELS long TIMEOUT 14400)
