"""`python -m treasury.sandbox.mercury --port --data FILE --token TOKEN`; prints `ready <address>` when it listens."""

import argparse
import logging
import os
import sys

from werkzeug.serving import make_server

from treasury.sandbox.mercury.server import MercurySandbox
from treasury.sandbox.mercury.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m treasury.sandbox.mercury", description=__doc__)
    parser.add_argument("--port", type=int, default=8812, help="0 takes a free one")
    parser.add_argument("--data", default=":memory:", help="the SQLite file")
    parser.add_argument("--token", default=os.environ.get("MERCURY_API_TOKEN", ""), help="or MERCURY_API_TOKEN")
    given = parser.parse_args()
    if not given.token:
        parser.error("a token is needed")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", given.port, MercurySandbox(Store(given.data), given.token), threaded=True)
    sys.stdout.write(f"ready http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.shutdown()


if __name__ == "__main__":
    main()
