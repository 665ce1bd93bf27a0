"""Mail the way that the settings say; the ways have contracts of their own."""

from targets.contract import Contract
from targets.contracts import sendmail

CONTRACT = Contract(
    scenes=sendmail.CONTRACT.scenes,
    not_applicable=sendmail.CONTRACT.not_applicable,
    settings=sendmail.CONTRACT.settings,
    actions=("mailto:someone@example.org,zo%C3%AB@example.org",),
)
