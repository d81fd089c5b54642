"""Programs that run in another Python than this one, where what they serve with is installed. They import nothing of deployer."""
