"""CloudWatch: AWS's door to metrics and alarms.

service      the table of operations
putting      PutMetricData
reading      ListMetrics, GetMetricStatistics, GetMetricData
rules        what names, dimensions, values and moments may look like
alarms       operations on alarms
alarm        one alarm: its record, its checks, its description, its message
watching     looks at every alarm once a minute, and tells of each change once
evaluation   what state an alarm should be in (pure)
history      what happened to alarms
statistics   from minutes to the data points of a period (pure)
"""
