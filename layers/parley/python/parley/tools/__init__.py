"""What the agent, or an agent elsewhere, may do as the user. Clients of the API, never of the database."""
