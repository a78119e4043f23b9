"""The OpenAPI document and its page, made from the routes and from the forms that validate."""
