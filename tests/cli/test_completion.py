from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import argcomplete
import pytest

BIN = Path(sys.executable).parent
ASK = """
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9
_python_argcomplete "$0"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completions(typed):
    """What bash would offer behind what was typed, by the function that argcomplete gives it."""
    (program, *_) = typed.split()
    script = argcomplete.shellcode([program]) + ASK
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", script, program, typed],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("emoprefer-bench hi", ["history"]),
        ("emoprefer-bench data ", ["check", "fetch"]),
        ("emoprefer-bench history --metric waf", ["waf2", "waf3"]),
        ("emoprefer-bench report --em", ["--embed-media"]),
        ("pytest --emoprefer-fuse", ["--emoprefer-fuse", "--emoprefer-fuse-on"]),
    ],
)
def test_the_shell_completes_the_command_and_the_options_of_pytest(typed, offered):
    """By argcomplete, which pytest heeds, too."""
    assert set(completions(typed)) - {"-h", "--help"} == set(offered)


def test_the_command_says_that_it_can_be_completed(tmp_path):
    """To who has activated argcomplete for all commands: it looks into what pip's script imports."""
    script = tmp_path / "emoprefer-bench"
    script.write_text("import sys\nfrom emoprefer_bench.cli.main import main\nsys.exit(main())\n")
    check = [sys.executable, "-W", "ignore", "-m", "argcomplete._check_console_script", str(script)]
    told = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
