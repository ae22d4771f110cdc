"""What survives a crash.

One process owns the data folder. Everything that was promised to somebody is a row of `alight.db` (bodies of more
than 64 KiB lie beside it, in packs or as files), written by one thread that commits jobs in groups; what merely
explains (logs, spans, metrics) is in `telemetry.db`.

    lock        the folder belongs to one process     witness     no commit has vanished since
    ground      what must hold before it opens        ballast     room to work off what was accepted
    migrations  the schema, version by version        statements  the named SQL of `sql/*.sql`
    writer      the thread that commits in groups     database    what the rooms see of it: write, read
    buckets, objects, listing, uploads, bodies, packs S3's rows and bytes
    records     resource definitions                  telemetry   logs, spans, invocations, metrics
    checksums   every algorithm of the S3 model       verify      reads all of it and names what is damaged
    backup      a copy of one moment, and back        offline     both, where nobody runs on the folder
"""
