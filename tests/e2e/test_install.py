# SPDX-License-Identifier: MIT
"""test_install.py - what `make install` puts where, and the unit's own checks."""

import os
import re
import shutil
import subprocess

import kit
import pytest


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """An installation under DESTDIR; the tree is built already."""
    dest = tmp_path_factory.mktemp("dest")
    done = subprocess.run(
        ["make", "-s", "-C", kit.TOP, "install", f"DESTDIR={dest}", f"BUILD={os.path.relpath(kit.BUILD, kit.TOP)}"],
        capture_output=True, text=True, check=False, timeout=600,
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
    assert done.returncode == 0, done.stdout + done.stderr
    return str(dest)


def find(tree, name):
    for folder, _, files in os.walk(tree):
        if name in files:
            return os.path.join(folder, name)
    raise AssertionError(f"{name} is not installed")


def test_programs(tree):
    for name in ("gantryd", "gantryctl"):
        path = find(tree, name)
        assert os.access(path, os.X_OK)
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and re.search(r"\d+\.\d+", done.stdout)


@pytest.mark.parametrize("name", ["gantry.yaml", "gantry.service", "gantry.socket", "gantryd.8",
                                  "gantryctl.1", "gantry.yaml.5", "gantry-rules.5"])
def test_files(tree, name):
    try:
        path = find(tree, name)
    except AssertionError:
        path = find(tree, name + ".gz")
    assert os.path.getsize(path) > 0


def test_sysusers_and_tmpfiles(tree):
    found = {os.path.basename(f) for f, _, files in os.walk(tree) if "gantry.conf" in files}
    assert found >= {"sysusers.d"}


def test_the_folder_of_backups_is_there(tree):
    """doc/operations.md backs up into it; nobody but the gateway may look in."""
    with open(os.path.join(kit.TOP, "doc", "operations.md"), encoding="utf-8") as f:
        folder = os.path.dirname(re.search(r"gantryctl backup (\S+)", f.read()).group(1))
    assert os.stat(tree + folder).st_mode & 0o777 == 0o700
    with open(find(tree, "gantry.service"), encoding="utf-8") as f:
        state = re.search(r"^StateDirectory=(.*)$", f.read(), re.M).group(1).split()
    assert os.path.relpath(folder, "/var/lib") in state


def test_nothing_is_writable_by_others(tree):
    for folder, _, files in os.walk(tree):
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                assert os.stat(path).st_mode & 0o022 == 0, path


def test_the_installed_sample_passes_the_check(tree, tmp_path):
    """The sample as it stands, with the secrets that it names."""
    etc = str(tmp_path / "gantry")
    shutil.copytree(os.path.dirname(find(tree, "gantry.yaml")), etc)
    with open(os.path.join(etc, "gantry.yaml"), encoding="utf-8") as f:
        names = set(re.findall(r"^[^#\n]*?secret:([A-Za-z0-9_.-]+)", f.read(), re.M))
    os.makedirs(os.path.join(etc, "secrets"), exist_ok=True)
    for name in names:
        path = os.path.join(etc, "secrets", name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("a-secret-for-this-test-0123456789\n")
        os.chmod(path, 0o640)
    done = subprocess.run([find(tree, "gantryd"), "-c", os.path.join(etc, "gantry.yaml"), "-t"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def analyze(*args):
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not here")
    return subprocess.run([tool, *args], capture_output=True, text=True, check=False)


def test_the_unit_is_tight(tree):
    unit = find(tree, "gantry.service")
    done = analyze("security", "--offline=true", "--no-pager", "--threshold=20", unit)
    if "offline" in done.stderr and "unrecognized" in done.stderr:
        pytest.skip("this systemd-analyze has no --offline")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert exposure and float(exposure.group(1)) <= 2.0


def test_the_units_verify(tree):
    """No complaint, but that the programs are not installed on this machine."""
    for name in ("gantry.service", "gantry.socket", "gantry-control.socket"):
        done = analyze("verify", "--man=no", find(tree, name))
        complaints = [line for line in done.stderr.splitlines()
                      if "gantry" in line and "not executable" not in line
                      and "No such file" not in line]
        assert complaints == [], done.stderr
