"""Every question about live calls, each once, named by what it asks; no other SQL in monitor/."""
