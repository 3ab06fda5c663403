"""The suite: one folder an app, `tests/<app>/test_<subject>.py`."""
