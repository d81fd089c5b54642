"""Serving on this very machine: an engine in a process of its own, watched by a supervisor.

    supervisor.py     stays in the background, keeps the engine running and its log short; a program
    llama_server.py   llama.cpp as an OpenAI-compatible server; a program
    programs/         what runs in another Python than this one: MLX's server behind an API key
    process.py        starts, finds and stops them
    launch/           how each engine is started: one file per engine
    gpu.py            how much GPU memory they hold
    runner.py         all of it as a provider's `Runner`

The programs import nothing of this package.
"""
