# SPDX-License-Identifier: MIT
"""test_http_slow.py - slowhttptest, the tool that others use, in its three modes.

Many more connections than the listener has slots, each sending its head or its
body, or reading its answer, a few bytes a second.  The tool's own probe must
find the service there, and each webhook of an honest sender must be answered
within a second meanwhile.
"""

import re
import shutil
import subprocess

import kit
import pytest
import raw
from witness import Witness

SLOTS, ATTACKERS = 100, 350
MODES = {
    "headers": ["-H", "-t", "POST", "-x", "24", "-i", "1"],
    "body": ["-B", "-t", "POST", "-s", "8192", "-x", "10", "-i", "1"],
    # Three requests on each connection, read through a window of a few bytes.
    "reading": ["-X", "-w", "8", "-y", "16", "-n", "1", "-z", "4", "-k", "3"],
}


@pytest.mark.parametrize("mode, keep_alive", [
    ("headers", False), ("body", False), ("reading", False), ("reading", True)])
def test_slowhttptest(make_gateway, mode, keep_alive):
    if shutil.which("slowhttptest") is None:
        pytest.skip("slowhttptest is not installed")
    gan = make_gateway(config={"listen": {"public": {"max_connections": SLOTS,
                                                     "keep_alive": keep_alive}}})
    path = "/healthz" if mode == "reading" else "/hooks/prodsmart"
    assert gan.public.startswith("127.0.0.1:")
    with Witness(gan) as seen:
        done = subprocess.run(
            ["slowhttptest", *MODES[mode], "-c", str(ATTACKERS), "-r", str(ATTACKERS), "-l", "4",
             "-p", "2", "-u", f"http://{gan.public}{path}"],
            capture_output=True, text=True, timeout=60 * kit.SLOW, check=False,
            stdin=subprocess.DEVNULL, cwd=gan.dir)
        seen.wait(3)
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    print(text[-1500:])
    assert "slowhttptest" in text, (done.returncode, text, done.stderr)
    assert not re.search(r"service available:\s*NO", text), text[-1500:]
    n = seen.check()
    # The attackers' requests were not signed: only the honest sender's are there.
    assert raw.stored(gan) == n
