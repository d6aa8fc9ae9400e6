"""The search: which path to run next, when to stop, and what the result means."""
