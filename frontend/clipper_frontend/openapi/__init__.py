"""The OpenAPI document of both frontends' REST interfaces, made from the types that decode and encode it.

`openapi.json` beside this file is the document; the management frontend serves it as it is. The modules make
it, and no server imports them.
"""
