"""How often each event happened on each day: what the analytics subscriber keeps."""

from typing import ClassVar

from django.db import models


class EventCount(models.Model):
    """Events of one name on one UTC day."""

    day = models.DateField()
    name = models.CharField(max_length=80)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["-day", "name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["day", "name"], name="event_count_once_a_day")]

    def __str__(self) -> str:
        return f"{self.name} on {self.day}: {self.count}"
