"""What this floor refuses, by name."""

from habitat.errors import HabitatError


class UnknownJob(HabitatError):
    code = "unknown_job"
    template = "No job is called {name}."


class JobNotFinished(HabitatError):
    code = "job_not_finished"
    status = 409
    template = "{name} of {due_at} is {state}: only a failed or finished job can be run again."
