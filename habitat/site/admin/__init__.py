"""What the roof puts on the floors' pages: the way to a dollar's trace."""

from habitat.site.admin import traces

__all__ = ["traces"]
