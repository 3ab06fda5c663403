"""What operations may set about webhooks."""

from habitat.controls.policies.settings import SettingDefinition

SETTINGS = (
    SettingDefinition(
        key="webhooks.disable_after_days",
        kind="integer",
        default=5,
        minimum=1,
        maximum=30,
        title="Days before a failing webhook is switched off",
        help="An endpoint that has taken nothing for so long is switched off, with an alert. It can be switched on "
        "again; what happened meanwhile was not kept for it.",
        unit="days",
    ),
    SettingDefinition(
        key="webhooks.most_waiting",
        kind="integer",
        default=20_000,
        minimum=1_000,
        maximum=1_000_000,
        title="Messages that may wait for one webhook",
        help="Where more wait, the oldest are given up, with an alert. They can be sent again, by the service or by a "
        "person, for as long as they are kept.",
        unit="messages",
    ),
    SettingDefinition(
        key="webhooks.keep_days",
        kind="integer",
        default=90,
        minimum=30,
        maximum=3_650,
        title="Days webhook deliveries are kept",
        help="What was delivered, given up or superseded so long ago is thrown away each night with its sendings; "
        "nothing of it can be sent again. The events it told of are kept.",
        unit="days",
    ),
)
