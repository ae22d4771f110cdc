"""The API Gateway door for HTTP APIs: routes with their integrations, served as they were deployed.

apis · routes · integrations · authorizers · stages · deployments
              the operations, a file for each kind of thing; the records are `apigateway.ledger`'s
rules         what a route, an integration and an authorizer may be (pure)
deploying     snapshots, and the stages that follow every change
imports       an OpenAPI body as routes and integrations
compile       a deployed snapshot and its stage → what the room `apis` serves
"""
