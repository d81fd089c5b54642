"""An OpenAI route for what has none of its own, and is called by its service's API (`Provider.native_api`).

    backend.py   what is called: a request's OpenAI body goes out, an OpenAI answer or its stream comes back
    waking.py    a cold model is asked again until it has woken, for so long and no longer
    errors.py    what a service says of a failure, in HTTP's and OpenAI's words
    app.py       the routes, on 127.0.0.1

Calls are signed with the caller's own credentials; prompts and answers are neither kept nor logged.
"""
