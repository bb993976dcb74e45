"""Every question that studies ask the store, each once, named by what it asks; no other SQL
below.
"""
