"""RelayLease: which relay leads."""

from django.db import models


class RelayLease(models.Model):
    """A single row; the relay that holds it leads until `lease_until`."""

    holder = models.CharField(max_length=255, blank=True)
    lease_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.holder
