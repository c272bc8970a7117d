"""Kinds of sources: how each provider signs what it sends, and what its requests say of themselves. Pure.

A kind proves first, over the raw body, and reads only what is proved. Nothing here raises, whatever comes in.
"""
