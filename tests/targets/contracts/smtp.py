"""A mail server that wants to know who sends."""

from targets.contract import Contract
from targets.mail_scenes import SMTP

CONTRACT = Contract(scenes=SMTP, settings={"read_timeout_seconds": 3.0})
