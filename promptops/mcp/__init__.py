"""The door of coding agents: tools that read, evaluate within a budget that a person fixed, and
propose. An agent can never force, promote past a gate, raise its budget, or read outside the
project.
"""
