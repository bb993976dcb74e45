"""Prompts tested like code: study files, JUnit and Markdown for CI servers, examples as parameters
of tests.
"""
