"""The file that applications read: written under a lock and never torn, read without one and never
fatal.

`loader` and what it needs import the standard library's light modules only; the write side
(`editor`, `gate`, `merge`, `sync`) may cost more, since people and machines that deploy run it, not
requests.
"""
