"""Watching what is deployed: probes that are asked again each day, and canaries judged by the users
who meet them.

An alarm has a stated rate of false ones. Above this layer nothing is computed, only shown.
"""
