#!/bin/sh
# Started by the Lambda Web Adapter, which waits for /api/auth/ok.
exec node start.mjs
