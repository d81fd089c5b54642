"""Serving on this very machine: an engine in a process of its own, watched by a supervisor.

    process.py      starts, finds and stops the supervisor (`deployer.agents.supervisor`) and its engine
    gpu.py          how much GPU memory they hold
    hub_cache.py    how far a download is
    logs.py         what they say
    ports.py        a port that is free, and held
    room.py         whether two runs have room at once
    slots.py        where the files of a run lie, while another takes its place
    runtime.py      all of it as a provider's `Runner`

How each engine is started is said by its own folder (`deployer.engines`).
"""
