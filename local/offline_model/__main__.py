import argparse

import uvicorn

from local.offline_model.app import create_app
from local.serving import QUIET


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m local.offline_model", description="Run the offline model."
    )
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--word-delay-ms", type=float, default=25, help="pause after each word (default: 25)")
    options = parser.parse_args()
    uvicorn.run(create_app(word_delay_ms=options.word_delay_ms), host="127.0.0.1", port=options.port, **QUIET)


if __name__ == "__main__":
    main()
