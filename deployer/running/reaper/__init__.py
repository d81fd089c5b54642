"""The reaper: finds what this tool ever made on AWS, by tags and not by state, and ends what nobody uses.

    sweep     everything that exists, over all regions at once; what could not be seen is a gap
    usage     how long each machine has been idle, from CloudWatch, 250 to 500 machines a call
    machines  an instance's tags and times as the decision takes them (pure)
    orphans   what is left of deployments that are gone, and what it costs (pure)
    spending  what machines have cost this month, and their budget (pure)
    survey    all of it together: the document of `deployer idle`
    acting    stop or destroy, after a second look
    expiry    when a machine is removed whatever happens

It never calls AWS for one instance alone until it ends it.
"""
