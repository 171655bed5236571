"""Parley: a serverless, multi-user chat backend. `parley.main.create_app` is the way in."""
