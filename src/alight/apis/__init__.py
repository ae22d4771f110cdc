"""HTTP APIs: which route a request takes, the event that its function sees, and the answer that goes back.

api      what is served: one stage of one API, frozen
"""
