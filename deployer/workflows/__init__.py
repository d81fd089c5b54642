"""One story per command, from what was asked to what is shown."""
