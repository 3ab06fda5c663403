"""How a sandbox listens: one process, a thread a connection, a line on standard output when it is ready."""

import signal
import sys
import threading
from types import FrameType
from wsgiref.types import WSGIApplication

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler


class QuietHandler(WSGIRequestHandler):
    """Keeps connections open between requests and writes no line for each."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """A sandbox answers thousands of requests in a test; its call log says what happened."""

    def connection_dropped(self, error: BaseException, environ: dict[str, object] | None = None) -> None:
        """A client that goes away, or that was sent away on request, is no error here."""
        self.close_connection = True


class Server(ThreadedWSGIServer):
    daemon_threads = True
    request_queue_size = 512


def serve(application: WSGIApplication, *, host: str, port: int) -> None:
    """Serves until the process is told to stop."""
    server = Server(host, port, application, handler=QuietHandler)

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    sys.stdout.write(f"ready http://{host}:{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()
