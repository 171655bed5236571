"""The tools of the agent, and of agents elsewhere. They call the API as the user, never the database."""
