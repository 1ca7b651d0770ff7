"""The built-in selection policies, a file each, and the parts that several of them share.

Imported by the table of policies alone. It imports the contract and the arithmetic beside it.
"""
