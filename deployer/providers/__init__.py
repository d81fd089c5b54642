"""What a provider is (`api`), how providers are found (`registry`), what exists (`inventory`), whom idle asks (`cloud`)."""
