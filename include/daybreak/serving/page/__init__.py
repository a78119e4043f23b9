"""The page: what the report views say, for people, at ``/ui``.

Server-rendered HTML and charts with their tables beside them; it reads ``report.*`` alone, as who
may read nothing else. A view stands for a question, not for a model: it is there where a model
brings the report views that answer it, and it is asked by the names of these. So modules here name
report views of models that ship with Daybreak, as the demo does; none names a model.
"""
