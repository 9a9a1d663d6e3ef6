"""Validates YAML files by a JSON Schema: `read_schema.py SCHEMA FILE…`.

Prints a list with a message for each file that does not keep to it, and null for each that does.
"""

import json
import sys

import jsonschema
import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
verdicts = []
for path in sys.argv[2:]:
    with open(path, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    verdicts.append(None if error is None else f"{error.json_path}: {error.message}")
json.dump(verdicts, sys.stdout)
