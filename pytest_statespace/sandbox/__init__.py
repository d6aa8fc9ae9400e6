"""The forked child and everything around it: arena, commands, watching, reaping."""
