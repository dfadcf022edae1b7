"""Proves that each check of ci/ can fail.

    python3 tests/checks/self_test.py CHECK

For every case a small tree that the check accepts is made in a temporary folder, one violation is
added, and the check must then refuse it and name the file.
"""

import pathlib
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# What the checks accept: one file on every floor.
CLEAN_TREE = {
    ".clang-format": (REPOSITORY / ".clang-format").read_text(),
    "include/lockstep/config.hpp": "#pragma once\nstruct Config {};\n",
    "include/lockstep/group.hpp": '#pragma once\n#include "lockstep/config.hpp"\n',
    "runtime/clock.hpp": '#pragma once\n\n#include <ctime>\n\n#include "lockstep/config.hpp"\n',
    "transports/wire.hpp": '#pragma once\n#include "runtime/clock.hpp"\n',
    "ordering/row.hpp": '#pragma once\n#include "transports/wire.hpp"\n',
    "membership/beat.hpp": '#pragma once\n#include "lockstep/group.hpp"\n',
    "tools/launch/members.hpp": '#pragma once\n#include "ordering/row.hpp"\n',
    "tools/main.cpp": '#include "tools/launch/members.hpp"\n',
    "examples/hello.cpp": '#include "lockstep/group.hpp"\n',
    "tests/unit/row.cpp": '#include "ordering/row.hpp"\n',
}

ONE_TOO_MANY_LINES = "int line;\n" * 501

# check: (file, contents that must be refused). Refused words are written in two pieces, so that
# this file itself passes ci/check-words.
VIOLATIONS = {
    "check-floors": [
        ("include/lockstep/config.hpp", '#include "lockstep/group.hpp"\n'),
        ("include/lockstep/group.hpp", '#include "runtime/clock.hpp"\n'),
        ("runtime/loop.cpp", '#include "transports/wire.hpp"\n'),
        ("runtime/loop.cpp", "#include <transports/wire.hpp>\n"),
        ("runtime/loop.cpp", '#include "lockstep/group.hpp"\n'),
        ("transports/shm/link.cpp", '  #  include "ordering/row.hpp"\n'),
        ("transports/packet/link.cpp", "#include <sys/socket.h>\n"),
        ("ordering/ring.cpp", '#include "membership/beat.hpp"\n'),
        ("ordering/ring.cpp", '#include "lockstep/group.hpp"\n'),
        ("ordering/ring.cpp", "#include <sys/socket.h>\n"),
        ("ordering/ring.cpp", "#include <thread>\n"),
        ("ordering/ring.cpp", "#include <mutex>\n"),
        ("membership/view.cpp", "#include <chrono>\n"),
        ("membership/view.cpp", "#include <unistd.h>\n"),
        ("membership/view.cpp", '#include "bench/floor.hpp"\n'),
        ("tools/top.cpp", '#include "runtime/clock.hpp"\n'),
        ("examples/hello.cpp", '#include "runtime/clock.hpp"\n'),
        ("examples/hello.cpp", '#include "tools/sim/seed.hpp"\n'),
        ("bench/latency.cpp", '#include "tests/unit/fixture.hpp"\n'),
        ("tests/unit/row.cpp", '#include "../../ordering/row.hpp"\n'),
    ],
    "check-headers": [
        ("include/lockstep/group.hpp", "#pragma once\nstd::string name();\n"),
        ("runtime/clock.hpp", "struct Guarded {};\n"),
        ("transports/shm/link.hpp", '#pragma once\n#include "transports/shm/gone.hpp"\n'),
        ("ordering/row.hpp", "#pragma once\nstd::uint64_t row;\n"),
        ("membership/beat.hpp", "#pragma once\nconst View& view();\n"),
    ],
    "check-format": [
        ("runtime/clock.hpp", "#pragma once\nint  now( );\n"),
        ("tests/unit/row.cpp", "int main(){return 0;}\n"),
    ],
    "check-words": [
        ("runtime/clock.hpp", "// see /wo" "rk/notes\n"),
        ("ci/anything", "cd /ho" "me/someone\n"),
        ("README.md", "FIX" "ME\n"),
        ("runtime/clock.hpp", "// TO" "DO: later\n"),
        ("runtime/clock.hpp", "// XX" "X\n"),
        ("runtime/clock.hpp", "// HA" "CK\n"),
        ("tests/unit/row.cpp", "GTEST_" "SKIP();\n"),
        ("runtime/clock.cpp", ONE_TOO_MANY_LINES),
    ],
}


def write_tree(root, files):
    for path, contents in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(contents)


def run_check(check, root):
    return subprocess.run([REPOSITORY / "ci" / check, root], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    check = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        write_tree(pathlib.Path(folder), CLEAN_TREE)
        accepted = run_check(check, folder)
        if accepted.returncode != 0:
            sys.exit(f"{check} refuses a clean tree:\n{accepted.stdout}")
    for path, contents in VIOLATIONS[check]:
        with tempfile.TemporaryDirectory() as folder:
            write_tree(pathlib.Path(folder), {**CLEAN_TREE, path: contents})
            refused = run_check(check, folder)
        shown = f"{path} with\n{contents[:200]}"
        if refused.returncode == 0:
            sys.exit(f"{check} accepts {shown}")
        if path not in refused.stdout:
            sys.exit(f"{check} does not name {shown}It says:\n{refused.stdout}")
    with tempfile.TemporaryDirectory() as folder:
        if run_check(check, folder).returncode == 0:
            sys.exit(f"{check} accepts a tree without files")
    print(f"{check}: {len(VIOLATIONS[check])} violations, each refused")


if __name__ == "__main__":
    main()
