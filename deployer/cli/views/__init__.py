"""How each command's result is shown to a person."""
