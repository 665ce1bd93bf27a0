"""Aodh's callbacks: the secret stands in the URL."""

from targets.contract import SECRET, HttpContract

CONTRACT = HttpContract(
    options=lambda url: {
        "url": f"{url.replace('://', f'://user:{SECRET}@')}/hook?token={SECRET}",
        "signing_secret": f"whsec_{SECRET}",
    },
    actions=(f"http://user:{SECRET}@127.0.0.1:9/{SECRET}?key={SECRET}",),
)
