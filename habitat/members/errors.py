"""What this floor refuses, each with its code and its sentence."""

from habitat.errors import HabitatError


class EmailTaken(HabitatError):
    code = "email_taken"
    status = 409
    template = "The address {email} already has a sign-in."


class EmailInvalid(HabitatError):
    code = "email_invalid"
    template = "“{given}” is not an e-mail address."


class NameRequired(HabitatError):
    code = "name_required"
    template = "Give the member a name of 1 to {longest} characters."


class KindNotOpen(HabitatError):
    code = "member_kind_not_open"
    template = "“{kind}” cannot be registered: choose a person or an organisation."


class StatusRefused(HabitatError):
    code = "member_status_refused"
    status = 409
    template = "{name} is {status}: the membership cannot go from there to {target}."


class SystemMemberFixed(HabitatError):
    code = "member_is_system"
    status = 409
    template = "{name} is an account of the cooperative itself and keeps its status and its name."


class NoSignIn(HabitatError):
    code = "member_without_sign_in"
    status = 409
    template = "{name} has no sign-in, and a role needs one."


class RoleUnknown(HabitatError):
    code = "role_unknown"
    template = "There is no role “{role}”. The roles are {roles}."


class RoleHeld(HabitatError):
    code = "role_held"
    status = 409
    template = "{name} already has the role {role}."


class RoleNotHeld(HabitatError):
    code = "role_not_held"
    status = 409
    template = "{name} does not have the role {role}."


class RoleNeedsActiveMember(HabitatError):
    code = "role_needs_active_member"
    status = 409
    template = "{name} is {status}: only an active member may be trusted with the role {role}."


class OwnMembership(HabitatError):
    code = "own_membership"
    status = 403
    template = "You cannot change your own status or roles: ask somebody else who may."


class LastAdministrator(HabitatError):
    code = "last_administrator"
    status = 409
    template = "{name} is the last administrator. Give the role to somebody else first."


class InvestorUnchanged(HabitatError):
    code = "investor_unchanged"
    status = 409
    template = "{name} is already recorded that way."


class IdentityFixed(HabitatError):
    code = "cloud_identity_fixed"
    status = 409
    template = "{name} already has a cloud identity; it is given once."


class IdentityTaken(HabitatError):
    code = "cloud_identity_taken"
    status = 409
    template = "The name “{subname}” or the address {address} already belongs to another member."


class PermissionUnknown(HabitatError):
    code = "permission_unknown"
    template = "The roles name permissions that no table has: {permissions}."


class NoMembership(HabitatError):
    code = "no_membership"
    status = 403
    template = "This sign-in has no membership, so it holds no credits. Ask operations to connect it."
