"""Checks the files under ci/ against the schemas of GitHub and GitLab, and prints the command lines
of `locklab` in them, as lists of arguments, as JSON.

Usage: read_ci.py FOLDER
       read_ci.py --action FILE    the script of a composite action, as a JSON string
"""

import json
import pathlib
import re
import shlex
import subprocess
import sys

import yaml


def strings(value):
    if isinstance(value, dict):
        for key, child in value.items():
            if key in ("run", "script"):
                yield from ([child] if isinstance(child, str) else child)
            else:
                yield from strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from strings(child)


def commands(script):
    script = script.replace("\\\n", " ")
    script = re.sub(r"\$\{\{ matrix\.shard \}\}|\$CI_NODE_INDEX", "1", script)
    script = re.sub(r"\$\{\{ strategy\.job-total \}\}|\$CI_NODE_TOTAL", "4", script)
    script = re.sub(r"\$\{?[A-Z_]*TIME_LIMIT\}?", "30m", script)
    script = script.replace('"${explore[@]}"', "--stored")
    for line in script.splitlines():
        line = line.strip()
        if line.startswith("locklab "):
            yield shlex.split(re.sub(r"\|\|.*", "", line))[1:]


def make(path):
    """What the rules of a Makefile would run."""
    for target in ("locklab-check", "locklab-gate", "locklab-baseline"):
        text = subprocess.run(
            ["make", "-s", "-n", "-f", str(path), target], check=True, capture_output=True, text=True
        ).stdout
        yield from commands(text)


def main():
    if sys.argv[1] == "--action":
        print(json.dumps(next(strings(yaml.safe_load(pathlib.Path(sys.argv[2]).read_text())))))
        return
    folder = pathlib.Path(sys.argv[1])
    schemas = {
        folder / "github/action.yml": "vendor.github-actions",
        folder / "github/workflow.yml": "vendor.github-workflows",
        folder / "gitlab/locklab.gitlab-ci.yml": "vendor.gitlab-ci",
    }
    found = []
    for path, schema in schemas.items():
        check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
        if schema == "vendor.gitlab-ci":
            check += ["--data-transform", "gitlab-ci"]
        result = subprocess.run(check + [str(path)], capture_output=True, text=True)
        if result.returncode:
            raise SystemExit(result.stdout + result.stderr)
        for script in strings(yaml.safe_load(path.read_text())):
            syntax = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
            if "${{" not in script and syntax.returncode:
                raise SystemExit(f"{path}: {syntax.stderr}")
            found += commands(script)
    found += make(folder / "make/locklab.mk")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
