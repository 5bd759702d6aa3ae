# SPDX-License-Identifier: MIT
"""test_claims.py - what texts and messages name exists: commands, metrics, files."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GANTRY_BUILD", ROOT / "build"))
TEXTS = [ROOT / "README.md", *ROOT.glob("doc/*.md"), *ROOT.glob("doc/*.scd"), *ROOT.glob("etc/**/*"),
         *ROOT.glob("contrib/**/*"), *ROOT.glob("systemd/*"), *ROOT.glob("src/**/*.[ch]")]
TEXTS = [p for p in TEXTS if p.is_file() and "__pycache__" not in p.parts]


def commands():
    """The first words of each command that gantryctl knows: {"status", "rules list", …}."""
    told = subprocess.run([BUILD / "gantryctl", "--help"], capture_output=True, text=True,
                          check=True).stdout
    body = told.split("Commands:\n", 1)[1].split("\nOptions", 1)[0]
    return {re.match(r"  ([a-z]+(?: [a-z]+)?)", line).group(1)
            for line in body.splitlines() if re.match(r"  [a-z]", line)}


def test_every_command_that_is_named_exists():
    known = commands()
    groups = {c.split()[0] for c in known if " " in c}
    single = {c for c in known if " " not in c}
    assert {"status", "show", "backup"} <= single and {"rules", "events"} <= groups
    wrong = []
    for path in TEXTS:
        text = re.sub(r'"\s*\n\s*"', "", path.read_text(errors="replace"))
        # In code only what is quoted as a command; prose speaks of gantryctl as well.
        quoted = re.findall(r"[`*]gantryctl(?: --?\S+)* ([a-z]+)(?: ([a-z]+))?", text)
        quoted += re.findall(r"^\s*(?:\$ |sudo )?gantryctl ([a-z]+)(?: ([a-z]+))?", text, re.M) \
            if path.suffix in (".md", ".scd") else []
        for first, second in quoted:
            if first not in single and not (first in groups and
                                            (not second or f"{first} {second}" in known)):
                wrong.append(f"{path.relative_to(ROOT)}: gantryctl {first} {second}")
    assert not wrong


def test_every_metric_that_is_named_exists():
    source = "".join((ROOT / f"src/admin/{name}.c").read_text()
                     for name in ("metrics", "process", "changes"))
    for path in ROOT.glob("doc/*"):
        if path.suffix not in (".md", ".scd"):
            continue
        for name in re.findall(r"[`_](gantry_[a-z_]+?)(?:_?[`{ ]|_$)", path.read_text(), re.M):
            assert name in source, f"{path.name}: {name}"


def test_every_operation_is_in_the_manual():
    page = (ROOT / "doc/gantry-rules.5.scd").read_text()
    section = page.split("# OPERATIONS", 1)[1].split("\n# ", 1)[0]
    real = set()
    for kind in ("movilitas", "flex2b"):
        source = (ROOT / f"src/outbound/{kind}.c").read_text()
        row = r'^\t\{ \.name = "([a-z.]+)",\n\t    \.method = '
        real |= {(kind, name) for name in re.findall(row, source, re.M)}
    assert len(real) == 3  # those of Prodsmart: tests/unit/test_prodsmart.c
    assert set(re.findall(r"^\*([a-z0-9]+)\*: \*([a-z.]+)\*$", section, re.M)) == real


@pytest.mark.parametrize("page", ["README.md", "doc/architecture.md", "doc/operations.md"])
def test_every_file_that_is_named_exists(page):
    """`folder/file` and `file.c` of the tree; places on the target machine begin with a slash."""
    files = {str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if ".git" not in p.parts}
    for name in re.findall(r"`([A-Za-z][\w./-]*(?:/|\.(?:c|h|jq|md|py|scd|yaml)))`", (ROOT / page).read_text()):
        if name.startswith(("play/", "build/")):
            continue
        bare = "/" + name.rstrip("/")
        assert any(("/" + f).endswith(bare) for f in files), f"{page}: {name}"
