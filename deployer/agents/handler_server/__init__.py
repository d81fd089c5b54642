"""A user's own `handler.py` as a server: `python -m deployer.agents.handler_server CONFIG.json`.

    settings.py   what it is told
    handler.py    loads the user's file and checks that it has what it must have
    schema.py     what a client may send, and what it gets
    refusal.py    errors, in OpenAI's form
    fault.py      what the user's own code raises: type, file and line
    gate.py       how many at once, how many wait, and for how long
    workers.py    threads for the handler's calls
    guard.py      the key and the size of a request, before anything is read
    metrics.py    what is counted, for Prometheus
    answers.py    a request becomes an answer, at once or in pieces
    app.py        the routes

It imports nothing else of deployer, so that the folder can be copied into an image as it is
(`templates/Dockerfile.handler.j2`). Who may ask:

- `/health` and `/ping` answer everybody; everything else needs `Authorization: Bearer KEY`. It does not
  start without a key.
- A service that runs containers sends no key of its own: it starts one with the argument `serve`, and then only
  `/ping` and `/invocations` exist, without a key. That port is reached by the service alone, which lets in who has
  signed the request and may call it.
"""
