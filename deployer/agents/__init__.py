"""Programs that run somewhere else: beside an engine, on a rented machine, in a container. They import nothing of ours."""
