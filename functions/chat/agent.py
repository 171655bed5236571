"""The agent. This file is all that you edit to make Parley yours.

- Another character: change INSTRUCTIONS.
- Another skill: write a function with a docstring and `@function_tool` above it, and add it to `tools`.
- Another model: set OPENAI_MODEL; it holds for every agent in here that names none.
"""

from agents import Agent

INSTRUCTIONS = """\
You are a helpful assistant in a chat. Answer in the language of the question, briefly first and in detail
when asked. Use Markdown where it helps: lists, tables, code with its language named. Say so when you do not
know something.
"""

agent = Agent(name="Parley", instructions=INSTRUCTIONS, tools=[])
