"""CloudWatch: AWS's door to metrics.

service      the table of operations
putting      PutMetricData
reading      ListMetrics, GetMetricStatistics, GetMetricData
rules        what names, dimensions, values and moments may look like
statistics   from minutes to the data points of a period (pure)
"""
