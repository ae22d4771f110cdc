"""The app file: a SAM/CloudFormation template becomes resources.

    load      text → plain values, each with its line
    expand    AWS::Serverless::* → plain CloudFormation (in a child process, cached)
    resolve   parameters, conditions, intrinsic functions → values; who needs whom
    properties   what of each resource type is honoured, recorded without effect, or refused
    apply     plan and apply: what is there against what is asked, by calls of the services' own operations

One stack is one record of kind `stack:stack`: for every logical id its type, name and properties as they were
applied. What a template creates and what the API creates are the same things.
"""
