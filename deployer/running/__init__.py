"""The running world: what starts, finds, watches, measures and removes deployments."""
