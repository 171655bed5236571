"""template.yaml as CloudFormation gets it: `AWS::Serverless` spelled out, with values for its parameters."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from boto3 import Session
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = Path(__file__).parents[1]
VALUES = {
    "Stage": "test",
    "FrontendUrl": "https://chat.example.com",
    "SecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:parley",
    "AlarmEmail": "operator@example.com",
}


@functools.cache
def source(file: str = "template.yaml") -> dict[str, Any]:
    template: dict[str, Any] = yaml_parse((ROOT / file).read_text())
    return template


def transformed(
    file: str = "template.yaml",
    code: str = "s3://bucket/code",
    changed: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The resources by logical id. `code`: where what is built lies. `changed`: other parameters."""
    template = json.loads(json.dumps(source(file)))
    if function := template.get("Globals", {}).get("Function"):
        function.pop("CodeUri", None)
    for resource in template["Resources"].values():
        kind = resource["Type"].removeprefix("AWS::Serverless::")
        if kind == "Function":
            resource["Properties"]["CodeUri"] = code
        elif kind == "LayerVersion":
            resource["Properties"]["ContentUri"] = code
    values = {name: str(value.get("Default")) for name, value in template["Parameters"].items()}
    values |= {**VALUES, **changed}
    values = {name: value for name, value in values.items() if name in template["Parameters"]}
    # Without a session of its own it would look for a region, and for the account's policies.
    translator = Translator({}, Parser(), boto_session=Session(region_name="eu-central-1"))
    resources: dict[str, Any] = translator.translate(template, values)["Resources"]
    return resources


def rendered(text: str) -> str:
    """A text of Fn::Sub, with the parameters' values and the logical ids of resources in it."""
    values = {**{name: str(value.get("Default")) for name, value in source()["Parameters"].items()}, **VALUES}
    return re.sub(r"\$\{([^}]+)\}", lambda found: values.get(found[1], found[1]), text)


def references(value: Any) -> Iterator[str]:
    """The logical ids that a part of a template names."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [name, *_]} | {"Fn::GetAtt": str(name)}:
            yield name.split(".")[0]
        case {"Fn::Sub": text}:
            text, names = (text, {}) if isinstance(text, str) else text
            yield from (
                name.split(".")[0] for name in re.findall(r"\$\{([^}!]+)\}", text) if name not in names
            )
            yield from references(list(names.values()))
        case dict():
            for part in value.values():
                yield from references(part)
        case list():
            for part in value:
                yield from references(part)
