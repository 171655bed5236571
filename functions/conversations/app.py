"""The light function: everything but turns. It starts fast, since it never imports the Agents SDK."""

from parley.lambda_handler import LambdaHandler
from parley.main import create_light_app

handler = LambdaHandler(create_light_app)
