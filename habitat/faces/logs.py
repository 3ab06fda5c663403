"""What the log says of requests; read by LOGGING before any app is there, so it knows none."""

from logging import Filter, LogRecord

from django.core.exceptions import PermissionDenied


class RefusalInOneLine(Filter):
    """An ordinary 403 is a line without a traceback; anything else keeps its own whole."""

    def filter(self, record: LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], PermissionDenied):
            record.exc_info = None
        return True
