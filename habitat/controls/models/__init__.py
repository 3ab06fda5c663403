"""What exists on this floor."""

from habitat.controls.models.alerts import Alert
from habitat.controls.models.approvals import Approval
from habitat.controls.models.history import KeyHistory, SettingHistory
from habitat.controls.models.service_keys import ServiceKey
from habitat.controls.models.settings import Setting

__all__ = ["Alert", "Approval", "KeyHistory", "ServiceKey", "Setting", "SettingHistory"]
