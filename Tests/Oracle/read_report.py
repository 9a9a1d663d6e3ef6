"""Reads a report with readers that are not ours, and prints what they understood as JSON.

Usage: read_report.py FORMAT FILE
Ends with 1 and a line on standard error where a reader or a schema refuses the file.
"""

import json
import re
import sys
from html.parser import HTMLParser


def sarif(path):
    import sarif_om
    from sarif_pydantic import Sarif

    with open(path, encoding="utf-8") as file:
        text = file.read()
    log = Sarif.model_validate_json(text)

    # The object model that was generated from the schema knows each object's properties.
    kinds = {
        "runs": "Run", "tool": "Tool", "driver": "ToolComponent", "rules": "ReportingDescriptor",
        "notifications": "ReportingDescriptor", "shortDescription": "MultiformatMessageString",
        "fullDescription": "MultiformatMessageString", "help": "MultiformatMessageString",
        "defaultConfiguration": "ReportingConfiguration", "invocations": "Invocation",
        "toolExecutionNotifications": "Notification", "message": "Message",
        "toolConfigurationNotifications": "Notification", "results": "Result",
        "descriptor": "ReportingDescriptorReference", "locations": "Location",
        "physicalLocation": "PhysicalLocation", "artifactLocation": "ArtifactLocation",
        "region": "Region", "logicalLocations": "LogicalLocation", "codeFlows": "CodeFlow",
        "threadFlows": "ThreadFlow", "stacks": "Stack", "frames": "StackFrame",
        "location": "Location", "suppressions": "Suppression", "description": "Message",
    }
    maps = {"properties", "partialFingerprints"}
    # The model was generated from a draft in which this property had another name (`state`); the
    # standard has it in section 3.35.3.
    renamed = {("Suppression", "status")}

    def walk(value, kind, where):
        attributes = {
            a.metadata["schema_property_name"]: a
            for a in getattr(sarif_om, kind).__attrs_attrs__
        }
        for name, child in value.items():
            if (kind, name) in renamed:
                continue
            if name not in attributes:
                raise SystemExit(f"{where}: a {kind} has no property {name}")
            if name in maps:
                continue
            if name == "originalUriBaseIds":
                for key, item in child.items():
                    walk(item, "ArtifactLocation", f"{where}.{name}.{key}")
            elif name == "state":
                for key, item in child.items():
                    walk(item, "MultiformatMessageString", f"{where}.{name}.{key}")
            elif isinstance(child, dict) or (isinstance(child, list) and child and isinstance(child[0], dict)):
                below = "ThreadFlowLocation" if (kind, name) == ("ThreadFlow", "locations") else kinds[name]
                for number, item in enumerate(child if isinstance(child, list) else [child]):
                    walk(item, below, f"{where}.{name}[{number}]")
        for name, attribute in attributes.items():
            if attribute.default is __import__("attr").NOTHING and name not in value:
                raise SystemExit(f"{where}: a {kind} needs the property {name}")

    raw = json.loads(text)
    walk({k: v for k, v in raw.items() if k != "$schema"}, "SarifLog", "log")

    run = raw["runs"][0]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(ids)) == len(ids), "rules are not unique"
    levels = {"none", "note", "warning", "error"}
    states = {r.get("baselineState") for r in run["results"]}
    assert not states or None not in states or states == {None}, "baselineState: all or none"
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in levels
        for flow in result.get("codeFlows", []):
            merged, *separate = flow["threadFlows"]
            orders = [location["executionOrder"] for location in merged["locations"]]
            assert orders == list(range(1, len(orders) + 1)), "the first thread flow is the whole"
            parts = sorted(l["executionOrder"] for t in separate for l in t["locations"])
            assert parts == orders, "the other thread flows are its parts"
    for uri in re.findall(r'"uri" : "([^"]*)"', text):
        assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri), uri
        assert not uri.startswith("/")
    invocation = run["invocations"][0]
    return {
        "version": log.version,
        "exitCode": invocation["exitCode"],
        "notifications": [
            n["descriptor"]["id"]
            for n in invocation["toolExecutionNotifications"] + invocation["toolConfigurationNotifications"]
        ],
        "results": [
            {
                "rule": r["ruleId"], "level": r["level"], "text": r["message"]["text"],
                "fingerprint": list(r["partialFingerprints"].values())[0],
                "baselineState": r.get("baselineState", ""),
                "justifications": [s["justification"] for s in r["suppressions"]],
                "uris": [
                    l["physicalLocation"]["artifactLocation"]["uri"]
                    for l in r["locations"] if "physicalLocation" in l
                ],
                "lines": [
                    l["physicalLocation"]["region"]["startLine"]
                    for l in r["locations"] if "region" in l.get("physicalLocation", {})
                ],
                "threadFlows": len(r["codeFlows"][0]["threadFlows"]) if r["codeFlows"] else 0,
            }
            for r in run["results"]
        ],
    }


def junit(path):
    from junitparser import JUnitXml

    suites = JUnitXml.fromfile(path)
    cases = [case for suite in suites for case in suite]
    return {
        "tests": suites.tests, "failures": suites.failures, "errors": suites.errors,
        "skipped": suites.skipped,
        "cases": [
            {
                "name": case.name,
                "result": [type(result).__name__ for result in case.result],
                "message": [result.message for result in case.result],
                "output": case.system_out or "",
            }
            for case in cases
        ],
    }


def ktap(path):
    from tap.parser import Parser

    with open(path, encoding="utf-8") as file:
        first = file.readline().rstrip("\n")
    assert first == "KTAP version 1", first
    lines = list(Parser().parse_file(path))
    unknown = [line for line in lines if line.category == "unknown"]
    # The version line is the kernel's own; TAP has another.
    assert len(unknown) == 1, [str(line) for line in unknown]
    plan = [line for line in lines if line.category == "plan"]
    tests = [line for line in lines if line.category == "test"]
    assert len(plan) == 1 and plan[0].expected_tests == len(tests)
    assert [test.number for test in tests] == list(range(1, len(tests) + 1))
    assert not any(line.category == "bail" for line in lines)
    return [
        {"ok": test.ok, "description": test.description, "skip": test.skip, "todo": test.todo}
        for test in tests
    ]


GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "additionalProperties": False,
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "additionalProperties": False,
                "properties": {
                    "path": {"type": "string", "pattern": "^(?!/|\\./)"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def gitlab(path):
    import jsonschema

    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    jsonschema.validate(entries, GITLAB)
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)
    return entries


def github(path):
    """As the runner reads a line: blanks before it are dropped, and so is whatever is no command."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = re.split(r"\r\n|\r|\n", file.read())
    commands = []
    for line in lines:
        if not line:
            continue
        match = re.fullmatch(r"::([a-z-]+)(?: ([^:]*))?::(.*)", line.lstrip())
        assert match, f"no command: {line!r}"

        def decode(text, more=()):
            for code, character in (*more, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
                text = text.replace(code, character)
            return text

        properties = dict(item.split("=", 1) for item in (match[2] or "").split(",") if item)
        commands.append(
            {
                "command": match[1],
                "properties": {
                    k: decode(v, (("%3A", ":"), ("%2C", ","))) for k, v in properties.items()
                },
                "message": decode(match[3]),
            }
        )
    return commands


def markdown(path):
    from markdown_it import MarkdownIt

    with open(path, encoding="utf-8") as file:
        html = MarkdownIt("commonmark", {"html": True}).enable("table").render(file.read())

    class Tags(HTMLParser):
        def __init__(self):
            super().__init__()
            self.tags, self.text = [], []

        def handle_starttag(self, tag, attrs):
            self.tags.append(tag)
            assert all(name == "style" for name, _ in attrs), attrs

        def handle_data(self, data):
            self.text.append(data)

    reader = Tags()
    reader.feed(html)
    return {"tags": sorted(set(reader.tags)), "text": "".join(reader.text)}


def main():
    form, path = sys.argv[1:]
    readers = {
        "sarif": sarif, "junit": junit, "ktap": ktap, "gitlab": gitlab, "github": github,
        "markdown": markdown,
    }
    print(json.dumps(readers[form](path)))


if __name__ == "__main__":
    main()
