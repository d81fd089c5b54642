"""What is read of the world: this machine, the model hub, price lists, measurements, request logs."""
