"""… to SINKS: each publisher takes the events that a route sends to its URL."""
