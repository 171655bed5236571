"""Reads template.yaml as CloudFormation sees it: after SAM's own transform, with parameters filled in."""

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ACCOUNT, REGION = "123456789012", "eu-central-1"
_UPLOADED, _NO_VALUE = "s3://local/", "AWS::NoValue"


@dataclass(frozen=True)
class Function:
    """A Lambda function. Its name is its logical id."""

    name: str
    folder: Path
    layers: tuple[Path, ...]
    handler: str
    timeout_s: int
    memory_mb: int
    variables: Mapping[str, str]
    log_format: str
    log_level: str
    snap_start: bool
    reserved_concurrency: int | None
    retries: int

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"


@dataclass(frozen=True)
class Authorizer:
    issuer: str
    audience: tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """`method` may be `ANY`, `path` may be `$default`. A route without an authorizer is public."""

    method: str
    path: str
    function: str
    authorizer: Authorizer | None
    scopes: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.path if self.path == "$default" else f"{self.method} {self.path}"


@dataclass(frozen=True)
class Cors:
    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    max_age_s: int | None


@dataclass(frozen=True)
class FunctionUrl:
    function: str
    cors: Cors | None


@dataclass(frozen=True)
class Template:
    functions: Mapping[str, Function]
    routes: tuple[Route, ...]
    cors: Cors | None
    urls: tuple[FunctionUrl, ...]


def read_template(file: Path, build: Path, parameters: Mapping[str, str]) -> Template:
    """`build` is the folder that local/aws/build.py has built into."""
    resources = _resources(file, parameters)
    functions = {
        name: _function(build, name, resources)
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    [api] = _of_type(resources, "AWS::ApiGatewayV2::Api")
    return Template(
        functions,
        tuple(_routes(api["Body"])),
        _cors(api["Body"].get("x-amazon-apigateway-cors")),
        tuple(
            FunctionUrl(_name_in(url["TargetFunctionArn"]), _cors(url.get("Cors")))
            for url in _of_type(resources, "AWS::Lambda::Url")
        ),
    )


def _resources(file: Path, parameters: Mapping[str, str]) -> dict[str, Any]:
    # Imported here because they take four seconds.
    from samcli.lib.intrinsic_resolver.intrinsic_property_resolver import IntrinsicResolver  # noqa: PLC0415
    from samcli.lib.intrinsic_resolver.intrinsics_symbol_table import IntrinsicsSymbolTable  # noqa: PLC0415
    from samcli.yamlhelper import yaml_parse  # noqa: PLC0415
    from samtranslator.translator.transform import transform  # noqa: PLC0415

    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    template = yaml_parse(file.read_text())
    _pretend_to_have_uploaded(template["Resources"])
    declared = template.get("Parameters", {})
    values = {**{name: str(of.get("Default", "")) for name, of in declared.items()}, **parameters}
    # The transform asks boto3 for the region.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    policies: Any = SimpleNamespace(load=dict)
    expanded = transform(template, values, policies)
    # CloudFormation compares text.
    expanded["Conditions"] = json.loads(json.dumps(expanded.get("Conditions", {})), parse_int=str)
    known = {**values, "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, _NO_VALUE: _NO_VALUE}
    symbols: Any = IntrinsicsSymbolTable(expanded, known)  # type: ignore[no-untyped-call]
    resolver: Any = IntrinsicResolver(expanded, symbols)  # type: ignore[no-untyped-call]
    resources: dict[str, Any] = resolver.resolve_template(True)["Resources"]
    return resources


def _pretend_to_have_uploaded(resources: dict[str, Any]) -> None:
    """The transform accepts code in S3 only. Built folders are named after logical ids."""
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = _UPLOADED + name
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = _UPLOADED + name


def _of_type(resources: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def _function(build: Path, name: str, resources: dict[str, Any]) -> Function:
    properties = resources[name]["Properties"]
    configs = _of_type(resources, "AWS::Lambda::EventInvokeConfig")
    retries = [each.get("MaximumRetryAttempts", 2) for each in configs if each["FunctionName"] == name]
    logging_config = properties.get("LoggingConfig", {})
    variables = properties.get("Environment", {}).get("Variables", {})
    # A layer given as an ARN is not part of this build.
    layers = [layer["Ref"] for layer in properties.get("Layers", []) if isinstance(layer, dict)]
    reserved = properties.get("ReservedConcurrentExecutions", _NO_VALUE)
    return Function(
        name=name,
        folder=build / properties["Code"]["S3Key"],
        layers=tuple(build / resources[layer]["Properties"]["Content"]["S3Key"] for layer in layers),
        handler=properties["Handler"],
        timeout_s=int(properties.get("Timeout", 3)),
        memory_mb=int(properties.get("MemorySize", 128)),
        variables={variable: str(value) for variable, value in variables.items()},
        log_format=logging_config.get("LogFormat", "Text"),
        log_level=logging_config.get("ApplicationLogLevel", "INFO"),
        snap_start=properties.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
        reserved_concurrency=None if reserved == _NO_VALUE else int(reserved),
        retries=int(retries[0]) if retries else 2,
    )


def _routes(openapi: dict[str, Any]) -> list[Route]:
    authorizers = {
        name: Authorizer(configuration["issuer"], tuple(configuration["audience"]))
        for name, scheme in openapi.get("components", {}).get("securitySchemes", {}).items()
        if (configuration := scheme["x-amazon-apigateway-authorizer"].get("jwtConfiguration"))
    }
    routes = []
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            [security] = operation.get("security") or [{"NONE": []}]
            [(authorizer, scopes)] = security.items()
            routes.append(
                Route(
                    "ANY" if method == "x-amazon-apigateway-any-method" else method.upper(),
                    path.lstrip("/") if path.endswith("$default") else path,
                    _name_in(operation["x-amazon-apigateway-integration"]["uri"]),
                    # An unknown name raises KeyError: it must not make a route public.
                    None if authorizer == "NONE" else authorizers[authorizer],
                    tuple(scopes),
                )
            )
    return routes


def _cors(configuration: dict[str, Any] | None) -> Cors | None:
    """OpenAPI writes these names in camelCase, CloudFormation in PascalCase."""
    if not configuration:
        return None
    values = {name[0].lower() + name[1:]: value for name, value in configuration.items()}
    return Cors(
        origins=tuple(values.get("allowOrigins", ())),
        methods=tuple(values.get("allowMethods", ())),
        headers=tuple(values.get("allowHeaders", ())),
        exposed=tuple(values.get("exposeHeaders", ())),
        max_age_s=values.get("maxAge"),
    )


def _name_in(arn: str) -> str:
    """The function's name in an ARN, or in a longer one that contains it."""
    found = re.search(r":function:([A-Za-z0-9-_]+)", arn)
    return found[1] if found else arn
