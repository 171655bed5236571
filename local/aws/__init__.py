"""AWS for Parley: builds and deploys the stack, and runs what was built on this machine as Lambda would.

From the package it imports the default model and the prices of models, which the dashboard shows. From the
rest of `local` this folder imports these modules only, which know nothing of Parley:
progress, environment, parent_watch, ports, serving
"""
