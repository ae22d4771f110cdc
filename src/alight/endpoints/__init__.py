"""Model packages, the processes that serve them, and who gets which request.

artifact   model.tar.gz or a folder -> files that were checked and may be served
replica    the process role: one model, GET /ping and POST /invocations on a Unix socket
inbox      what arrives there: requests, read by the thread that answers them
models/    one file per model format, used inside the replica only
batch      several requests in one run: what is joined, who gets which part, who gets which error
convert    old and pickled XGBoost files -> JSON, in a process of its own
process    one replica as its supervisor sees it: start, wait for the ping, stop
fleet      the replicas of one variant: least busy first, bounded queue, restart with back-off
variants   which variant answers: by name or by weight
server     `Endpoints`: deploy, invoke, remove
"""
