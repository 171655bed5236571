#!/bin/sh
# Started by the Lambda Web Adapter, which waits for /api/health.
exec python -m uvicorn app:app --host 127.0.0.1 --port "${AWS_LWA_PORT:-8080}" \
  --no-access-log --timeout-keep-alive 0 --log-level warning
