"""What users see: failure report, terminal summary, progress line, and the JSON file."""
