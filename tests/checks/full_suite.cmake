# The unit and simulation tests of the sanitizer builds, one test per build and label, and a short
# run of every fuzzer. The thread sanitizer has only those where there are threads (ci/test). Not the
# mutants: they are there to be caught, which the release build shows, and some take thousands of
# seeds.

# See ci/build: the thread sanitizer wants its addresses to itself.
set(run_in_tsan "")
find_program(SETARCH setarch)
if(SETARCH)
  execute_process(COMMAND ${SETARCH} --addr-no-randomize true RESULT_VARIABLE refused ERROR_QUIET)
  if(refused EQUAL 0)
    set(run_in_tsan ${SETARCH} --addr-no-randomize)
  endif()
endif()

foreach(part asan.unit asan.simulation tsan.unit)
  string(REPLACE "." ";" words ${part})
  list(POP_FRONT words sanitizer label)
  add_test(NAME ${part}
           COMMAND ${run_in_${sanitizer}} ${CMAKE_CTEST_COMMAND}
                   --test-dir ${CMAKE_SOURCE_DIR}/build/${sanitizer} --label-regex ^${label}$
                   --exclude-regex MutantTest
                   --output-on-failure --no-tests=error --parallel ${cores})
  # It fills the cores by itself, so nothing else runs beside it.
  set_tests_properties(${part} PROPERTIES
    LABELS sanitizer TIMEOUT 900 PROCESSORS ${cores}
    ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
endforeach()

add_fuzz_tests(fuzz 15 fuzz)

# The contract at length: 10⁷ random writes against a model, over each medium that runs here.
foreach(medium shm sim tcp udp)
  add_test(NAME conformance.${medium}.10_million_writes
           COMMAND test_transports --gtest_brief=1
                   --gtest_filter=${medium}/Conformance.RandomWritesLeaveWhatTheModelSays/*)
  set_tests_properties(conformance.${medium}.10_million_writes PROPERTIES
    LABELS conformance TIMEOUT 900 ENVIRONMENT "LOCKSTEP_CONFORMANCE_WRITES=10000000")
endforeach()

# Groups whose views change, and the order of one view, over many seeds.
foreach(simulation ViewSimulation Simulation)
  add_test(NAME simulation.${simulation}.20_000_seeds
           COMMAND test_sim --gtest_brief=1
                   --gtest_filter=${simulation}.TheProtocolKeepsItsInvariants)
  set_tests_properties(simulation.${simulation}.20_000_seeds PROPERTIES
    LABELS simulation TIMEOUT 1800 ENVIRONMENT "LOCKSTEP_SIM_SEEDS=20000")
endforeach()

add_test(NAME simulation.exhaustive_crash
         COMMAND lockstep_program sim --exhaustive crash)
set_tests_properties(simulation.exhaustive_crash PROPERTIES LABELS simulation TIMEOUT 1800)

# The models of the view change, and their broken variants, which prove that it can fail.
add_test(NAME model COMMAND ${CMAKE_SOURCE_DIR}/ci/check-model)
set_tests_properties(model PROPERTIES LABELS check TIMEOUT 600)

# Everything that needs an RDMA device, in a virtual machine. It fills the cores by itself. 125 is
# "there is no machine to run it in": skipped, as on a host where it is not wanted.
option(LOCKSTEP_SOFT_ROCE "run the tests over RDMA in a virtual machine (ci/soft-roce)" ON)
if(LOCKSTEP_SOFT_ROCE)
  add_test(NAME soft-roce
           COMMAND ${CMAKE_SOURCE_DIR}/ci/soft-roce --timeout 600 ci/soft-roce.d/suite
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
else()
  add_test(NAME soft-roce COMMAND sh -c "echo 'not wanted: --without-soft-roce'; exit 125")
endif()
set_tests_properties(soft-roce PROPERTIES LABELS soft-roce TIMEOUT 1800 PROCESSORS ${cores}
                     RUN_SERIAL TRUE SKIP_RETURN_CODE 125)
