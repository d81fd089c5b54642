"""One model spec, planned, priced and served on your own machine, a rented GPU or a serverless endpoint."""

__version__ = "0.1.0"
