"""The stack: who may call what, what a function may do, and in which order things are deployed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from samcli.lib.package.utils import make_zip_with_lambda_permissions, zip_folder

from local.aws.build import functions
from local.aws.deploy import write_digests
from parley.config import MigrationSettings, Settings
from parley.main import EXPOSED_HEADERS, create_app, create_light_app
from parley.web_adapter import AFTER_RESTORE, BEFORE_SNAPSHOT
from tests.stack import ROOT, VALUES, references, rendered, source, transformed

PUBLIC = {
    "GET /api/health",
    "GET /api/health/ready",
    "GET /api/openapi.json",
    "GET /api/docs",
    "GET /api/shared/{token}",
    # Their 401 has to say where tokens come from, and the gateway's cannot.
    "POST /api/mcp",
    "GET /api/mcp",
    "DELETE /api/mcp",
    "GET /.well-known/oauth-protected-resource",
    "GET /.well-known/oauth-protected-resource/api/mcp",
}
# Read by AWS's own code.
OTHERS_VARIABLES = {
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_LOGGER_SAMPLE_RATE",
    "AWS_LAMBDA_EXEC_WRAPPER",
    "AWS_LWA_INVOKE_MODE",
    "AWS_LWA_PORT",
    "AWS_LWA_READINESS_CHECK_PATH",
    "AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH",
    "AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH",
}


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return transformed()


def of_type(stack: dict[str, Any], kind: str) -> dict[str, Any]:
    found = {name: each["Properties"] for name, each in stack.items() if each["Type"] == kind}
    assert found, kind
    return found


def routes(stack: dict[str, Any]) -> dict[str, tuple[str, list[Any]]]:
    """`METHOD /path` to the function's logical id and what authorizes it."""
    body = stack["HttpApi"]["Properties"]["Body"]
    found = {}
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
            function = re.search(r"\$\{(\w+?)Aliaslive\}", uri)
            assert function, uri
            found[f"{method.upper()} {path}"] = (function[1], operation["security"])
    return found


def matching(routes: dict[str, Any], method: str, path: str) -> str:
    """The route that the gateway takes for a request: the most specific one."""
    for route in sorted(routes, key=lambda each: ("{proxy+}" in each, each.count("{"), -len(each))):
        pattern = re.sub(r"\\\{(\w+)\\\}", r"[^/]+", re.escape(route).replace(r"\{proxy\+\}", ".+"))
        if re.fullmatch(pattern, f"{method} {path}"):
            return route
    raise AssertionError(f"no route takes {method} {path}")


def test_every_route_but_the_public_ones_needs_a_token(stack: dict[str, Any]) -> None:
    found = routes(stack)
    assert {route for route, (_, security) in found.items() if security == [{"NONE": []}]} == PUBLIC
    for route in found.keys() - PUBLIC:
        assert found[route][1] == [{"Jwt": []}], route


def test_the_authorizer_knows_issuer_and_audience_or_nothing_is_deployed(stack: dict[str, Any]) -> None:
    api = stack["HttpApi"]["Properties"]
    (scheme,) = api["Body"]["components"]["securitySchemes"].values()
    assert scheme["x-amazon-apigateway-authorizer"]["jwtConfiguration"] == {
        "issuer": {"Ref": "FrontendUrl"},
        "audience": [{"Ref": "JwtAudience"}],
    }
    assert api["FailOnWarnings"] is True


def test_preflights_need_no_token(stack: dict[str, Any]) -> None:
    """The gateway answers them by itself, as long as no route of ours takes OPTIONS."""
    assert not [route for route in routes(stack) if route.startswith(("OPTIONS", "ANY", "X-AMAZON"))]
    (cors,) = (stack["HttpApi"]["Properties"]["Body"]["x-amazon-apigateway-cors"],)
    assert cors["allowOrigins"] == ["https://chat.example.com"]
    assert cors["exposeHeaders"] == [name.lower() for name in EXPOSED_HEADERS]
    streamed = stack["StreamFunctionUrl"]["Properties"]["Cors"]
    assert streamed["ExposeHeaders"] == cors["exposeHeaders"]


def operations(app: Any) -> set[tuple[str, str]]:
    paths = app.openapi()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_each_operation_of_the_api_reaches_the_function_that_has_it(
    stack: dict[str, Any], settings: Settings
) -> None:
    found = routes(stack)
    light = operations(create_light_app(settings))
    whole = operations(create_app(settings))
    assert light < whole
    for method, path in whole:
        function, _ = found[matching(found, method, path)]
        assert function == ("ConversationsFunction" if (method, path) in light else "ChatFunction"), path
    for path in ("/api/openapi.json", "/api/docs"):
        assert found[f"GET {path}"][0] == "ChatFunction", "the light function knows half of the API"


def test_functions_end_before_the_gateway_gives_up(stack: dict[str, Any]) -> None:
    behind_the_gateway = {function for function, _ in routes(stack).values()}
    for name in behind_the_gateway:
        assert stack[name]["Properties"]["Timeout"] <= 29


def test_every_variable_is_known_and_none_is_a_secret(stack: dict[str, Any]) -> None:
    ours = {name.upper() for each in (Settings, MigrationSettings) for name in each.model_fields}
    secrets = {name.upper() for name, field in Settings.model_fields.items() if "Secret" in str(field)}
    for name, function in of_type(stack, "AWS::Lambda::Function").items():
        variables = function["Environment"]["Variables"].keys()
        assert variables <= ours | OTHERS_VARIABLES | {"SECRET_ARN", "SECRET_JSON"}, name
        assert function["Environment"]["Variables"]["SECRET_JSON"] == ""
        assert not variables & secrets, name
        # It would switch the check of origins off in Better Auth.
        assert not variables & {"TEST", "NODE_ENV"}, name


def test_every_function_has_a_role_of_its_own_that_may_do_nothing_everywhere(stack: dict[str, Any]) -> None:
    functions = of_type(stack, "AWS::Lambda::Function")
    roles = [next(references(function["Role"])) for function in functions.values()]
    assert len(set(roles)) == len(roles)
    inline = [each for role in of_type(stack, "AWS::IAM::Role").values() for each in role.get("Policies", [])]
    statements = [
        statement
        for policy in [*of_type(stack, "AWS::IAM::ManagedPolicy").values(), *inline]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert len(statements) >= 3
    for statement in statements:
        if statement["Effect"] == "Deny":
            continue
        assert "*" not in str([statement["Action"], statement["Resource"]]), statement


def test_only_those_who_hand_on_follow_ups_may_invoke(stack: dict[str, Any]) -> None:
    may = {
        name
        for name, role in of_type(stack, "AWS::IAM::Role").items()
        if "InvokeFollowUp" in references(role.get("ManagedPolicyArns", []))
    }
    assert may == {"ChatFunctionRole", "StreamFunctionRole"}


def test_what_is_too_old_is_deleted_every_night(stack: dict[str, Any]) -> None:
    (rule,) = of_type(stack, "AWS::Events::Rule").values()
    assert [set(references(target["Arn"])) for target in rule["Targets"]] == [{"RetentionFunction"}]
    minute, hour, *every_day = rule["ScheduleExpression"].removeprefix("cron(").removesuffix(")").split()
    assert minute.isdecimal()
    assert hour.isdecimal()
    assert every_day == ["*", "*", "?", "*"]
    (may,) = [
        permission
        for permission in of_type(stack, "AWS::Lambda::Permission").values()
        if permission["Principal"] == "events.amazonaws.com"
    ]
    assert set(references(may["FunctionName"])) == {"RetentionFunction"}
    # Nothing is deleted unless the operator says so. All functions know, since the API tells the user.
    assert source()["Parameters"]["RetentionDays"]["Default"] == ""
    for function in of_type(stack, "AWS::Lambda::Function").values():
        assert function["Environment"]["Variables"]["RETENTION_DAYS"] == {"Ref": "RetentionDays"}


def dependencies(resource: dict[str, Any]) -> set[str]:
    named = resource.get("DependsOn", [])
    return {*references(resource), *([named] if isinstance(named, str) else named)}


def test_nothing_waits_for_itself(stack: dict[str, Any]) -> None:
    """What an update policy names counts as well."""
    waiting = {name: dependencies(resource) & stack.keys() for name, resource in stack.items()}
    while ready := {name for name, others in waiting.items() if not others & waiting.keys()}:
        waiting = {name: others for name, others in waiting.items() if name not in ready}
    assert not waiting


def test_no_new_code_takes_requests_before_the_migration(stack: dict[str, Any]) -> None:
    functions = of_type(stack, "AWS::Lambda::Function").keys() - {"MigrateFunction"}
    for name in functions:
        assert "Migration" in dependencies(stack[name]), name
    assert any(name.startswith("ParleyLayer") for name in dependencies(stack["Migration"]))


def versions(stack: dict[str, Any]) -> dict[str, str]:
    """The logical id of each alias's version. CloudFormation publishes one when it is a new id."""
    found = {
        name: next(references(alias["FunctionVersion"]))
        for name, alias in of_type(stack, "AWS::Lambda::Alias").items()
    }
    assert found.keys() == {
        f"{each}FunctionAliaslive" for each in ("Chat", "Conversations", "Stream", "Tools")
    }
    return found


def uploaded(folder: Path, parameters: dict[str, str]) -> str:
    """Where SAM uploads a function to, which it names after its content."""
    for name in functions():
        (folder / name).mkdir(exist_ok=True)
    write_digests(folder, parameters)
    with zip_folder(str(folder / "ChatFunction"), zip_method=make_zip_with_lambda_permissions) as (_, digest):
        return f"s3://bucket/{digest}"


def test_new_code_is_a_new_version_and_the_same_is_none() -> None:
    one = versions(transformed(code="s3://bucket/one"))
    assert one == versions(transformed(code="s3://bucket/one"))
    assert not set(one.values()) & set(versions(transformed(code="s3://bucket/two")).values())


@pytest.mark.parametrize("parameter", source()["Parameters"])
def test_a_changed_parameter_or_secret_is_a_new_version_of_every_function(
    tmp_path: Path, parameter: str
) -> None:
    """SAM alone sees none in most of them: it compares properties before it looks a parameter up."""
    before = {"Stage": "test", **VALUES, "SecretVersion": "one"}
    other = {"Architecture": "arm64", "SnapStart": "None", "DeploymentPreference": "AllAtOnce"}
    changed = {parameter: other.get(parameter, "7")}
    after = before | changed
    code = [uploaded(tmp_path, each) for each in (before, before, after)]
    assert code[0] == code[1] != code[2]
    first = versions(transformed(code=code[0], changed=before))
    second = versions(transformed(code=code[2], changed=after))
    assert not set(first.values()) & set(second.values())


def test_a_canary_is_taken_back_by_alarms(stack: dict[str, Any]) -> None:
    for group in of_type(stack, "AWS::CodeDeploy::DeploymentGroup").values():
        assert len(set(references(group["AlarmConfiguration"]))) == 3
        assert group["AutoRollbackConfiguration"]["Enabled"] is True


def test_snapshots_are_made_of_published_versions(stack: dict[str, Any]) -> None:
    for function in ("Chat", "Conversations", "Stream", "Tools"):
        assert stack[f"{function}Function"]["Properties"]["SnapStart"] == {"ApplyOn": {"Ref": "SnapStart"}}
        assert f"{function}FunctionAliaslive" in stack
    assert source()["Parameters"]["SnapStart"]["Default"] == "PublishedVersions"


def test_an_answer_with_a_5xx_status_reaches_the_client(stack: dict[str, Any]) -> None:
    """The adapter fails the invocation for statuses that it is told, and drops their body and Retry-After."""
    variables = stack["StreamFunction"]["Properties"]["Environment"]["Variables"]
    assert "AWS_LWA_ERROR_STATUS_CODES" not in variables
    assert variables["AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH"] == BEFORE_SNAPSHOT
    assert variables["AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH"] == AFTER_RESTORE


def test_nothing_is_kept_that_costs(stack: dict[str, Any]) -> None:
    """Snapshots of old versions cost by the hour, and a log group made by a last line outlives its stack."""
    for name, resource in stack.items():
        if resource["Type"] in ("AWS::Lambda::Version", "AWS::Lambda::LayerVersion"):
            assert resource["DeletionPolicy"] == "Delete", name
    denied = stack["ReadSecret"]["Properties"]["PolicyDocument"]["Statement"][1]
    assert (denied["Effect"], denied["Action"]) == ("Deny", "logs:CreateLogGroup")
    for name, role in of_type(stack, "AWS::IAM::Role").items():
        if name.endswith("FunctionRole"):
            assert "ReadSecret" in references(role["ManagedPolicyArns"]), name


def test_every_function_logs_into_a_group_that_forgets(stack: dict[str, Any]) -> None:
    groups = of_type(stack, "AWS::Logs::LogGroup")
    assert all("RetentionInDays" in group for group in groups.values())
    for function in of_type(stack, "AWS::Lambda::Function").values():
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert set(references(function["LoggingConfig"])) <= groups.keys()


def test_saved_queries_read_groups_that_are_there(stack: dict[str, Any]) -> None:
    groups = of_type(stack, "AWS::Logs::LogGroup").keys()
    for query in of_type(stack, "AWS::Logs::QueryDefinition").values():
        assert set(references(query["LogGroupNames"])) <= groups


def test_access_logs_are_json() -> None:
    settings = source()["Resources"]["HttpApi"]["Properties"]["AccessLogSettings"]
    assert json.loads(rendered(settings["Format"]))["requestId"] == "$context.requestId"


def test_the_stack_runs_the_python_that_is_tested() -> None:
    assert source()["Globals"]["Function"]["Runtime"] == "python3.13"
    assert "3.13" in (ROOT / ".ci" / "run").read_text()
