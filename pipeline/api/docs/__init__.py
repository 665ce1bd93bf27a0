"""/docs: the OpenAPI document as a page to read, without scripts and without any other host.

    shapes.py       schemas → rows of a table: what a body or an answer holds
    page.html.j2    how it looks, by day and by night, narrow and wide

Pure: a document goes in, HTML comes out. Made once, with the application.
"""

from pipeline.api.docs.page import page

__all__ = ["page"]
