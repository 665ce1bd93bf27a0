"""… MATCHED against alarms: which alarms an event fires, and what becomes of their state."""
