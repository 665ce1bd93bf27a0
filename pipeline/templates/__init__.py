"""Templates: what a notification says, in the words of people.

Targets ask for a notification's title and for its body as text, HTML or Markdown, and expand the
templates that stand in their own options (a webhook's body, a Jenkins job's parameters). Jinja2 in
its sandbox; a template can neither reach the process nor run without end.
"""

from pipeline.templates.render import Rendered, Templates

__all__ = ["Rendered", "Templates"]
