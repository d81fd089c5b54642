"""Traffic: its profile over a week, the demand it makes, and how machines and services meet it."""
