"""Bytes to operations and back: the only room that knows HTTP, signatures and AWS's protocols.

A request walks through `server` (sockets, deadlines), `asgi` (the visible list of steps), `hosts`, `route`,
`signature` with `body` and `chunks`, `access`, `wire` (`decode`, `encode`, `dialects`). It gets one table
`{(service, operation): function}` and knows no service.
"""
