"""… STORED: alarms, history, firings, deliveries and rejected events, in one SQL database."""
