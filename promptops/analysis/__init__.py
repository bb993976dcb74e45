"""What the data say, and what a team's policy makes of it: tests, intervals, power, comparison and
verdict.

Importing a module of this room loads nothing outside the standard library; numpy and scipy come
with the first figure.
"""
