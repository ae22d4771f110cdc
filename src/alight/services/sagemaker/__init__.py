"""The SageMaker doors: models, endpoint configurations and endpoints; InvokeEndpoint of the runtime service.

tables       what each member means here
definitions  models and endpoint configurations, described and listed
deployment   from a configuration to replicas: packages fetched, unpacked, deployed, and again after a restart
endpoints    endpoints, and InvokeEndpoint
service      the operations
"""
