"""More than one machine: a team's store in a shared folder or bucket, and studies whose calls and
scorers run on other hosts. Only the faces and the commands choose it.
"""
