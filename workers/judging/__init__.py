"""What policy says of a call, and the request that follows from it."""
