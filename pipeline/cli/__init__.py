"""The command `tocsin`: one module per group of commands, `main` puts them together."""
