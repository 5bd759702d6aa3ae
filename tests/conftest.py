# SPDX-License-Identifier: MIT
"""conftest.py - one simulator and one gateway per test, both thrown away after it."""

import os
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import kit  # noqa: E402


@pytest.fixture
def sim():
    s = kit.Sim()
    yield s
    s.stop()


@pytest.fixture
def make_gateway(sim):
    """Gateways on demand: make_gateway(rules, tables, config, start=True)."""
    made = []

    def make(rules=None, tables=None, config=None, start=True):
        gan = kit.Gateway(sim, rules, tables, config)
        made.append(gan)
        if start:
            gan.start()
        return gan

    yield make
    for gan in made:
        gan.close()


@pytest.fixture
def seed(request):
    """A seed that a failing run prints and GANTRY_SEED repeats."""
    value = int(os.environ.get("GANTRY_SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"GANTRY_SEED={value}")
    return value


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the end of the gateways' logs."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    for value in list(getattr(item, "funcargs", {}).values()):
        gateways = [value] if isinstance(value, kit.Gateway) else []
        for cell in getattr(value, "__closure__", None) or ():
            try:
                if isinstance(cell.cell_contents, list):
                    gateways += [g for g in cell.cell_contents if isinstance(g, kit.Gateway)]
            except ValueError:
                continue
        for gan in gateways:
            if os.path.exists(gan.log_path):
                report.sections.append((f"gantryd in {gan.dir}", gan.log()[-8000:]))
