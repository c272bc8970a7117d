"""What is killed at any moment, and what must be true after it.

I1 each acknowledged event is stored, and delivered or explainably pending or failed; I2 each POST received has an
attempt row; I3 a stale engine never changes state; I4 gauges and rates equal a recount; I5 the file is sound; I6 a
paused endpoint gets no new claim after the pause is stored.
"""
