"""HTTP APIs: which route a request takes, the event that its function sees, and the answer that goes back.

api          what is served: one stage of one API, frozen
door         the ASGI app: which stage is meant, one answer, a line in the story
request      what came in                              routes       which route takes it
calling      authorize, call, answer                   authorizers  Lambda authorizers and their memory
proxy_v1     events in format 1.0                      proxy_v2     events in format 2.0
media        text or base64                            answers      results become answers
cors         CORS of HTTP APIs                         refusals     how each kind says no
body         reading it, within the limit              compression  of REST APIs that ask for it
upstream     HTTP_PROXY: another server answers        ids          one request's id in two spellings
"""
