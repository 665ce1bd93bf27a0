"""… DELIVERED: each target turns a notification into what its receiver understands."""
