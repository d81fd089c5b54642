"""What commands print with `--json`: one module of frozen dataclasses per document.

A field's name is its JSON key, its type is its JSON Schema, and the text below it is the key's description.
`base.plain` turns a document into JSON, `schemas.schema_of` into a schema; neither is written by hand.

    base       what every document has: its version, and how it becomes JSON
    schemas    the JSON Schema (draft 2020-12) of each document
    bill       the lines of a bill, which several documents hold
    <command>  the document of that command; `error` is what any command prints when it fails

The package lies in `core` because every other package may import it: documents are made by `planning`,
`running`, `workflows` and `cli`, and hold nothing but each other and the words of `deployer.core.domain`.
A command imports the module of its own document alone.
"""
