"""The built functions behind an HTTP API and a Function URL, as on AWS, on this machine."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local.aws.deployment import SECRET_ARN, Deployment, Settings, deploy, runtime_here
from local.aws.function_url import FunctionUrl, WebEnvironment
from local.aws.http_api import HttpApi
from local.aws.template import Template
from local.serving import serve_in_thread


@dataclass(frozen=True)
class Gateway:
    """`stream_url` is the Function URL's."""

    deployment: Deployment
    url: str
    stream_url: str


def parameters(issuer: str, audience: str = "parley") -> dict[str, str]:
    """The parameters of template.yaml for a deployment on this machine."""
    return {"FrontendUrl": issuer, "JwtAudience": audience, "SecretArn": SECRET_ARN}


@contextmanager
def serve(
    template: Template, folder: Path, settings: Settings, port: int = 0, stream_port: int = 0
) -> Iterator[Gateway]:
    """On free ports by default. `folder` is the folder of the build."""
    runtime = runtime_here(folder / "runtime")
    [url] = template.urls
    streamed = template.functions[url.function]
    with ExitStack() as stack:
        deployment = stack.enter_context(deploy(template, runtime, settings))
        requests = stack.enter_context((settings.logs / "gateway.log").open("w", buffering=1))
        log = partial(print, file=requests)
        http_api = HttpApi(
            template.routes, template.cors, deployment.submit, log, settings.integration_timeout_s
        )
        start = partial(
            WebEnvironment.start, streamed, runtime, deployment.log(streamed.name), deployment.endpoint_url
        )
        function_url = FunctionUrl(start, streamed, url.cors, settings.environments)
        stack.callback(function_url.close)
        yield Gateway(
            deployment,
            stack.enter_context(serve_in_thread(lambda _: http_api, port)),
            stack.enter_context(serve_in_thread(lambda _: function_url, stream_port)),
        )
