"""What members are called, for texts that name them."""

from habitat.members.models import Member


def name_of(member_id: int) -> str:
    """The display name of a member that exists. Raises Member.DoesNotExist."""
    return str(Member.objects.values_list("display_name", flat=True).get(pk=member_id))
