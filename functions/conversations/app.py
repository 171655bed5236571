"""The light Lambda: everything but turns, quick to start because it never imports the Agents SDK."""

from parley.door import Door
from parley.main import create_light_app

handler = Door(create_light_app)
