# SPDX-License-Identifier: MIT
"""The first rule of README.md, typed in as it stands there."""
import os
import re
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("GANTRY_BUILD", ROOT / "build")).resolve()


def blocks():
    """The code of the section, without the indentation of its list."""
    part = (ROOT / "README.md").read_text().split("## Your first rule", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^   ```(\w+)\n(.*?)^   ```$", part, re.M | re.S)
    return [(kind, re.sub(r"^   ", "", text, flags=re.M)) for kind, text in found]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def test_the_first_rule_word_for_word(tmp_path):
    (tmp_path / "build").symlink_to(BUILD)
    script = []
    for kind, text in blocks():
        if kind == "yaml":
            text = f"cat > play/rules.d/10-cancel.yaml <<'RULE'\n{text}RULE\n"
        script.append(text)
    script = "".join(script) + "kill %1; wait\n"
    assert script.startswith("make\n")
    script = "set -e\n" + script.removeprefix("make\n")
    assert "127.0.0.1:8480" in script and "127.0.0.1:9001" in script
    script = script.replace("8480", free_port()).replace("9001", free_port())
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60, check=False)
    said = done.stdout + done.stderr
    assert "configuration is good: 1 rule, 1 test passed" in done.stdout, said
    assert "HTTP/1.1 202" in done.stdout, said
    assert "by rule pallet-cancelled: waiting" in done.stdout, said
    assert "Connection refused" in done.stdout and "next try: " in done.stdout, said
    assert re.search(r"^movilitas +sscc/337370000000000003 ", done.stdout, re.M), said
    assert "warning" not in done.stderr and "error" not in done.stderr.lower(), said
