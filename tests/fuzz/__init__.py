"""Hostile input for every parser at the door.

`targets` has a function for each parser that lets a contract be broken never unseen, `corpus` what is known to break
parsers. The suite throws both at each other for a few seconds; `python -m tests.fuzz NAME --seconds N` looks for more,
guided by what each input reaches.
"""
