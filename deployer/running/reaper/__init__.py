"""The reaper: finds what this tool ever made in any cloud, whatever the state says, and ends what nobody uses.

    survey     one look at a cloud: the document of `deployer idle`
    verdicts   one machine, what becomes of it, and what it costs (pure)
    orphans    what is left of deployments that are gone (pure)
    endpoints  what sleeps by itself (pure)
    costs      what each costs, by the catalog and the providers' rules (pure)
    budget     what machines have cost this month, and their budget
    actions    stop or destroy, after a second look
    lifetime   what a deployment has cost, and when it is removed
    service    all of it over all clouds, once or again and again
    schedules  files that run it without anybody

It decides; clouds are asked through `deployer.providers.cloud`, and never for one machine alone until it is ended.
"""
