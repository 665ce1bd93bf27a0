"""Switching: what other systems have → items of Tocsin's, and what cannot be carried over.

    section_config   the format of Proxmox's configuration files
    handlebars       Proxmox's templates → Jinja
    proxmox          notifications.cfg → targets, groups, filters and matchers
    aodh             alarms of an Aodh that runs

What comes of it is planned and written like files that are applied (`pipeline.as_code`). Called by
`tocsin import`.
"""
