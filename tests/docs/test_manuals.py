# SPDX-License-Identifier: MIT
"""The manual pages build, are clean, and name what gantryctl has - and nothing else."""
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("GANTRY_BUILD", ROOT / "build"))
PAGES = sorted((ROOT / "doc").glob("*.scd"))

# scdoc writes a paragraph macro behind every heading; mandoc remarks on each.
HARMLESS = re.compile(r"paragraph macro|missing date|cannot parse date|lower case character in document title")


def roff(page):
    return subprocess.run(["scdoc"], input=page.read_bytes(), capture_output=True, check=True).stdout


def plain(page):
    """The page as a reader sees it, without escapes."""
    return page.read_text().replace("\\", "")


def gantryctl_help():
    return subprocess.run([BUILD / "gantryctl", "--help"], capture_output=True, text=True, check=True).stdout


def commands():
    """{name: set of options} from the help text."""
    found = {}
    part = gantryctl_help().split("Commands:\n", 1)[1].split("\nOptions of commands:", 1)[0]
    for line in part.splitlines():
        match = re.match(r"  (?! )([a-z]+(?: [a-z]+)?)(.*)$", line)
        if not match:
            continue
        name, rest = match.groups()
        if name.split()[0] == "completion":
            name = "completion"  # its second word is an operand
        found[name] = set(re.findall(r"--([a-z-]+)", rest))
    return found


def global_options():
    part = gantryctl_help().split("Options for all commands:\n", 1)[1].split("\nExit codes", 1)[0]
    return set(re.findall(r"^  --([a-z-]+)", part, re.M))


def command_part():
    text = plain(ROOT / "doc/gantryctl.1.scd")
    return text.split("# COMMANDS THAT LOOK", 1)[1].split("# TIMES AND LIMITS", 1)[0]


def page_entries():
    """{name: set of options} from the headings of entries in gantryctl(1)."""
    found = {}
    for line in command_part().splitlines():
        if not re.match(r"\*[a-z]+", line):
            continue
        for part in line.split(", *"):
            match = re.match(r"\*?([a-z]+(?: [a-z]+)?)\*", part)
            if match:
                found[match.group(1)] = set(re.findall(r"\*--([a-z-]+)\*", part))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page_builds_and_is_clean(page, tmp_path):
    out = tmp_path / page.stem
    out.write_bytes(roff(page))
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", out], capture_output=True, text=True)
    complaints = [l for l in lint.stdout.splitlines() if l.strip() and not HARMLESS.search(l)]
    assert complaints == []


def test_every_command_is_in_the_page_with_its_options():
    page, real = page_entries(), commands()
    assert len(real) > 20
    for name, options in real.items():
        assert name in page, f"gantryctl(1) does not describe '{name}'"
        assert page[name] == options, f"options of '{name}' differ"


def test_the_page_invents_no_command():
    real = commands()
    for name in page_entries():
        assert name in real, f"gantryctl has no '{name}'"


def test_every_global_option_is_in_the_page_and_back():
    text = plain(ROOT / "doc/gantryctl.1.scd")
    body = text.split("# OPTIONS", 1)[1].split("# COMMANDS THAT LOOK", 1)[0]
    assert set(re.findall(r"^\*--([a-z-]+)\*", body, re.M)) == global_options()


def test_exit_codes_are_those_of_the_source():
    header = (ROOT / "src/ctl/ctl.h").read_text()
    real = set(re.findall(r"#define GAN_CTL_(?:OK|NEGATIVE|USAGE|UNAVAILABLE|NOPERM|CONFIG) (\d+)", header))
    text = plain(ROOT / "doc/gantryctl.1.scd").split("# EXIT STATUS", 1)[1].split("# ENVIRONMENT", 1)[0]
    assert set(re.findall(r"^\*(\d+)\*", text, re.M)) == real


def test_gantryd_page_names_its_options():
    """What gantryd --help says is in gantryd(8), and back."""
    run = subprocess.run([BUILD / "gantryd", "--help"], capture_output=True, text=True)
    if run.returncode != 0 or "--config" not in run.stdout:
        pytest.skip("this gantryd has no --help yet")
    text = plain(ROOT / "doc/gantryd.8.scd").split("# OPTIONS", 1)[1].split("# SIGNALS", 1)[0]
    assert set(re.findall(r"\*--([a-z-]+)\*", text)) == set(re.findall(r"--([a-z-]+)", run.stdout)) - {"mapper"}


def test_exit_codes_of_gantryd_are_those_of_the_source():
    source = (ROOT / "src/app.c").read_text() + (ROOT / "src/gantryd.c").read_text()
    real = set(re.findall(r"\bEXIT_[A-Z_]+ = (\d+)", source)) | {"0"}
    text = plain(ROOT / "doc/gantryd.8.scd").split("# EXIT STATUS", 1)[1]
    text = text.split("# STARTING AT A SOCKET", 1)[0]
    assert set(re.findall(r"^\*(\d+)\*", text, re.M)) == real
