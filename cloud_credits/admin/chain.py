"""The sealed blocks, for auditors, and sealing on demand."""

from typing import ClassVar

from django.contrib import admin

from cloud_credits.actions import chain
from cloud_credits.models import ChainBlock
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, Verb, VerbForm
from habitat.members.policies.actors import Actor


def _seal(*, acting: Actor, key: str) -> Done:
    block = chain.seal()
    return Done(message=f"Block {block.pk} is sealed." if block else "Nothing was booked since the last block.")


@admin.register(ChainBlock)
class ChainBlockAdmin(ExportMixin, HouseAdmin):
    list_display = ("height", "rows", "hash", "sealed_at")
    ordering = ("-height",)
    fields = ("height", "from_xid", "to_xid", "rows", "previous_hash", "hash", "sealed_at")
    readonly_fields = fields
    export_fields = fields
    list_verbs: ClassVar = (Verb("seal", "Seal now", "cloud_credits.seal_chain", _seal, form=VerbForm),)
