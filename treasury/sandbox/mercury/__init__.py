"""The sandbox bank: a process of its own that speaks the documented JSON of Mercury over HTTP."""
