# SPDX-License-Identifier: MIT
"""Documentation of gantry.yaml: the manual page and the shipped sample know every key,
and the sample is right by the schema that gantryd prints and by gantryd itself."""

import copy
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
GANTRYD = pathlib.Path(os.environ.get("GANTRY_BUILD", TOP / "build")) / "gantryd"
SAMPLE = TOP / "etc" / "gantry.yaml"
PAGE = TOP / "doc" / "gantry.yaml.5.scd"


def run(*args, **kw):
    env = {k: v for k, v in os.environ.items() if k != "CREDENTIALS_DIRECTORY"}
    return subprocess.run([str(GANTRYD), *map(str, args)], capture_output=True, text=True,
                          timeout=60, env=env, **kw)


@pytest.fixture(scope="module")
def schema():
    if not GANTRYD.exists():
        pytest.skip(f"{GANTRYD} is not built")
    out = run("--print-schema").stdout
    if not out.strip():
        pytest.skip("gantryd --print-schema prints nothing yet")
    return json.loads(out)


def variants(node):
    """The node and what stands behind its conditions and alternatives."""
    yield node
    for key in ("anyOf", "allOf"):
        for alternative in node.get(key, []):
            yield from variants(alternative.get("then", alternative))


def keys(node, path=""):
    """Every key of the schema as the manual writes it: a.b, a.*.b, a[].b."""
    found = {}
    for part in variants(node):
        for name, value in part.get("properties", {}).items():
            sub = f"{path}.{name}" if path else name
            found.setdefault(sub, []).append(value)
            found.update(keys(value, sub))
        extra = part.get("additionalProperties")
        if isinstance(extra, dict):
            found.setdefault(path + ".*", []).append(extra)
            found.update(keys(extra, path + ".*"))
        if isinstance(part.get("items"), dict) and part["items"].get("description"):
            found.setdefault(path + "[]", []).append(part["items"])
            found.update(keys(part["items"], path + "[]"))
    return found


def shared_with_deliver(path, every):
    """Keys of `deliver` may stand in a connector; the manual describes them once."""
    return path.startswith("connectors.*.") and path.replace("connectors.*", "deliver") in every


def test_every_key_is_in_the_manual(schema):
    page = PAGE.read_text().replace("\\", "")
    every = keys(schema)
    assert len(every) > 90
    for path, values in every.items():
        if shared_with_deliver(path, every):
            continue
        headings = [line for line in page.splitlines() if line.startswith(f"*{path}*: ")]
        assert headings, f"{path} is not in {PAGE.name}"
        for value in values:
            if "default" in value:
                default = value["default"]
                text = str(default).lower() if isinstance(default, bool) else str(default)
                assert any(f"default {text}" in h for h in headings), (path, text, headings)
            for choice in value.get("enum", []):
                assert any(choice in h for h in headings), (path, choice, headings)


def test_the_manual_has_no_other_keys(schema):
    every = keys(schema)
    page = PAGE.read_text().split("; begin of the keys")[1].split("; end of the keys")[0]
    for line in page.splitlines():
        heading = re.match(r"\*(\S+)\*: ", line)
        if heading:
            assert heading.group(1).replace("\\", "") in every


def test_every_key_is_in_the_sample(schema):
    text = SAMPLE.read_text()
    for path in keys(schema):
        leaf = re.split(r"[.\[]", path)[-1]
        if leaf in ("*", "]"):
            continue
        assert re.search(rf"(^|[\s{{#]){re.escape(leaf)}:", text, re.M), f"{path}: not in etc/gantry.yaml"


def active(text):
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(text)


def uncommented(text):
    """The sample with the examples in its comments made real: the later kinds and keys."""
    out, inside = [], False
    for line in text.splitlines():
        bare = re.match(r"( *)# (.*)", line)
        if bare and re.match(r" *(prodsmart-feed|prodsmart|erp|outbox|alerts):", bare.group(2)):
            inside = True
        if not bare:
            inside = False
        if bare and inside and not bare.group(2).lstrip().startswith("#"):
            line = bare.group(1) + bare.group(2)
        out.append(line)
    return "\n".join(out) + "\n"


def test_the_sample_is_right_by_the_schema(schema):
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(schema)
    check.check_schema(schema)
    for text in (SAMPLE.read_text(), uncommented(SAMPLE.read_text())):
        errors = [f"{list(e.absolute_path)}: {e.message}" for e in check.iter_errors(active(text))]
        assert not errors
    full = active(uncommented(SAMPLE.read_text()))
    assert set(full["connectors"]) == {"movilitas", "flex2b", "prodsmart", "erp", "outbox"}
    assert set(full["sources"]) == {"prodsmart", "erp", "prodsmart-feed"}
    assert full["alerts"]


@pytest.mark.parametrize("where,value", [
    (["mapping", "workers"], 65),
    (["mapping", "timeout"], "2"),
    (["mapping", "wrkers"], 2),
    (["listen", "public", "keep_alive"], "yes"),
    (["connectors", "flex2b", "password"], "hunter2"),
    (["connectors", "flex2b", "gs1"], "off"),
    (["sources", "erp", "kind"], "webhook"),
    (["sources", "Erp"], {"kind": "http", "tokens": "secret:x"}),
    (["connectors", "movilitas", "channel_key"], None),
])
def test_the_schema_refuses_mistakes(schema, where, value):
    jsonschema = pytest.importorskip("jsonschema")
    conf = copy.deepcopy(active(SAMPLE.read_text()))
    place = conf
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(conf))


@pytest.fixture
def installed(tmp_path, schema):
    """A copy of etc/ with the secrets that its README asks for."""
    etc = tmp_path / "etc"
    shutil.copytree(TOP / "etc", etc)
    wanted = re.findall(r"^  ([a-z0-9-]+)   ", (etc / "secrets" / "README").read_text(), re.M)
    assert len(wanted) >= 6
    for name in wanted:
        path = etc / "secrets" / name
        path.write_text(f"a-secret-for-the-test-{name}\n")
        path.chmod(0o640)
    return etc


def test_the_sample_works_as_it_stands(installed):
    done = run("-c", installed / "gantry.yaml", "-t")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a-secret-for-the-test" not in done.stdout + done.stderr
    assert "not built yet" not in done.stdout + done.stderr


def test_the_commented_examples_load(installed):
    path = installed / "gantry.yaml"
    path.write_text(uncommented(path.read_text()))
    for name in re.findall(r"secret:([a-z0-9-]+)", path.read_text()):
        (installed / "secrets" / name).write_text(f"a-secret-for-the-test-{name}\n")
        (installed / "secrets" / name).chmod(0o640)
    done = run("-c", path, "-t")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "prodsmart-feed" not in done.stdout + done.stderr


def test_a_mistake_is_found(installed):
    path = installed / "gantry.yaml"
    path.write_text(path.read_text().replace("workers: 2", "wrkers: 2"))
    done = run("-c", path, "-t")
    assert done.returncode == 78
    assert re.search(r"gantry\.yaml:\d+:3: error: unknown key 'wrkers', did you mean 'workers'\?",
                     done.stdout + done.stderr)


def test_a_missing_secret_is_found(installed):
    (installed / "secrets" / "erp-token").unlink()
    done = run("-c", installed / "gantry.yaml", "-t")
    assert done.returncode == 78
    assert "secret:erp-token: there is no file" in done.stdout + done.stderr
