"""Aodh's callbacks with a Keystone token, which is a secret too."""

from targets.contract import SECRET, HttpContract
from targets.keystone_server import KeystoneServer

KEYSTONE = KeystoneServer("trust-1")

CONTRACT = HttpContract(
    options=lambda url: {
        "url": f"{url}/hook?token={SECRET}",
        "signing_secret": f"whsec_{SECRET}",
        "trust_id": "trust-1",
    },
    settings=KEYSTONE.settings,
    actions=(f"trust+https://trust-1:delete@127.0.0.1:9/hook?key={SECRET}",),
)
