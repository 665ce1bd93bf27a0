"""A webhook with secrets wherever one can stand."""

from targets.contract import SECRET, HttpContract

CONTRACT = HttpContract(
    options=lambda url: {
        "url": f"{url}/{{{{ secrets.token }}}}?key={{{{ secrets.token | url_encode }}}}",
        "method": "put",
        "header": [
            {"name": "Authorization", "value": "Bearer {{ secrets.token }}"},
            {"name": "X-Title", "value": "{{ title }}"},
        ],
        "body": '{"text": "{{ message | escape }}", "token": {{ secrets.token | json }}}',
        "secret": [{"name": "token", "value": SECRET}],
        "signing_secret": f"whsec_{SECRET} whsec_{SECRET}",
    },
)
