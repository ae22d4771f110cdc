"""CloudWatch Logs: AWS's door to logs, those of functions and those that callers write.

service      the table of operations
groups       groups: made, described, tagged, deleted; their retention
streams      streams: made, described, deleted
writing      PutLogEvents
reading      GetLogEvents, FilterLogEvents
tailing      StartLiveTail
embedded     metrics that stand in log lines
places       which group and stream are meant; tokens, and moments in milliseconds
retention    what is forgotten, and when
patterns     filter patterns (pure); pattern_conditions and pattern_values are its parts
"""
