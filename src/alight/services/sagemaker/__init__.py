"""The SageMaker doors: models, endpoint configurations and endpoints; InvokeEndpoint of the runtime service.

tables       what each member means here
ledger       the records of all three, and their tags
definitions  models and endpoint configurations
endpoints    endpoints: created, changed, deleted
images       which of SageMaker's families a container's image is of
acting       what SageMaker does as a model's execution role
capture      DataCaptureConfig: requests and answers as JSON lines in a bucket
describing   how an endpoint is described
pages        lists
tags         AddTags and its like
deployment   from a configuration to replicas: packages fetched, unpacked, deployed, and again after a restart
invoking     InvokeEndpoint
asynchronous InvokeEndpointAsync: accepted, run, told
inferences   what an asynchronous inference is, and the words of its end
service      the operations
"""
