"""Models that are served without a machine of one's own: applied, looked at and removed.

    service.py      what is asked of a service; each provider has its own
    manager.py      a deployment that exists
    driver.py       a plan that is being applied

Nothing here asks the model itself but the smoke test: a call would wake it, and be billed.
"""
