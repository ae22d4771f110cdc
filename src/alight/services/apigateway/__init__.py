"""The API Gateway door for REST APIs: what they are made of, and what is served of them.

ledger        the records: one for each API, one for each snapshot that was deployed
rest_apis · resources · methods · integrations · authorizers · deployments · stages · tags
              the operations, a file for each kind of thing
methods_rules · patches · uris
              what a method may be, how PATCH changes things, and which function a URI means (pure)
openapi · imports
              an OpenAPI body as resources and methods
compile       a deployed snapshot and its stage → what the room `apis` serves
served        which API answers at an address: both kinds, found by id and stage
"""
