"""Serving in a container on this machine.

    arguments.py      a planned container becomes what the Docker Engine API takes; pure
    daemon.py         reaches the daemon, and turns its refusals into errors with hints
    ssh.py            reaches one by ssh
    other_machine.py  what a daemon elsewhere has, and how files get there
    network.py        the network of what may be asked and can ask nobody
    fetching.py       the weights, before a container is cut off from the network
    pull.py           brings an image, and says how far it is
    build_context.py  what the image of a handler is built from; pure
    build.py          builds it
    compose.py        the same as files that run without this tool; pure
    inspection.py     what is read of a container and of what it is given
    runtime.py        all of it as a provider's `Runner`

The container's labels are the state: it is found by them, whoever remembers it.
"""
