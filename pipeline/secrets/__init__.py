"""Secrets: how they are kept from whoever reads the database, and looked up elsewhere.

    keys      the key file: which keys there are, made and changed with mode 0600
    sealing   seals and opens texts with these keys (Fernet)
    sources   the environment and the files that lookups lead to

Nothing here knows a table. The store is handed a `KeyFileSealer`, the targets are handed
`Sources`; `tocsin secrets` changes the keys (notifications 1).
"""

from pipeline.secrets.keys import KeyFile, Keys
from pipeline.secrets.sealing import KeyFileSealer, SealReport, report
from pipeline.secrets.settings import SecretsSettings
from pipeline.secrets.sources import Sources

__all__ = [
    "KeyFile",
    "KeyFileSealer",
    "Keys",
    "SealReport",
    "SecretsSettings",
    "Sources",
    "report",
]
