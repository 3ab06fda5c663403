"""Runtime settings that somebody changed; a setting without a row has its default."""

from django.db import models


class Setting(models.Model):
    """`value` in the definition's own spelling. Who, when and why stand in its history."""

    key = models.CharField(max_length=100, unique=True)
    value = models.TextField()
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=60)

    class Meta:
        ordering = ("key",)

    def __str__(self) -> str:
        return self.key
