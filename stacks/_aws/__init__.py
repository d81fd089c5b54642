"""Amazon Web Services, as all that runs there needs it."""
