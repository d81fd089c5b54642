"""What would exist and what it would cost. Pure: no network, no process, no clock, no provider's SDK."""
