"""The rooms, built floor by floor for `app.py`: each file makes one part and hands it over as one frozen value.

store      what survives: database, records, objects, telemetry, keys
running    functions and endpoints, and the dispatcher that feeds them
telling    topics, subscriptions and the outbox with its channels
doors      the AWS services, as one table of operations
endpoints  SageMaker over its endpoints, and what these tell beside their answers
apis       deployed APIs: the door of `apis/`, joined to functions, signatures and the way out
entrance   the gateway and the admin door before that table
templates  plan and apply, through the same table
"""
