"""What stands in front of an engine: an HTTP/1.1 reverse proxy that lets through only what the engine can bear.

    wire.py       heads and bodies of HTTP/1.1, read strictly
    content.py    whether a body is JSON that every engine reads alike, and not too deep
    limits.py     how much, how long and how many
    answers.py    refusals, in OpenAI's form
    caller.py     one caller's connection: head, key, body, one request after another
    exchange.py   one request at the engine, and its answer on its way back
    places.py     how many requests the engine is given at once; the others wait in turn
    callers.py    who is connected, and who must go when there are too many
    proof.py      how it proves to its owner that it holds the API key, without being sent it
    parts.py      how the parts see each other
    keys.py       which API keys are taken
    sockets.py    sockets whose port nobody else can have
    watch.py      whether the engine answers its health check
    door.py       where it listens, and how it takes the place of another one
    handover.py   hands a listening socket to another process of the same user
    guard.py      all of it, in an event loop of its own

It checks the caller's API key and gives the engine another one, which is made anew for each of its starts. Nothing of
a request is ever logged. Standard library only, Python 3.9: it runs beside an engine wherever that runs. (h11 takes
0.18 ms of a core for each head and its answer where this takes 0.02; httptools would have to be compiled there.)
"""
