"""Slack: a notification as a message of Block Kit, by an incoming webhook or by a bot.

target     what its options are, and where `slack:` actions lead
message    a notification → the message, within Slack's limits
answers    what Slack answers → an outcome
"""

from pipeline.targets.slack.target import SlackTarget

__all__ = ["SlackTarget"]
