"""Templates: what a notification says, in the words of people.

Targets ask for a notification's title and for its body as text, HTML or Markdown, and expand the
templates that stand in their own options (a webhook's body, a Jenkins job's parameters).

    shipped/        the templates that Tocsin comes with
    settings.py     the settings `templates.*`
    values.py       sizes, time spans, moments, shares, JSON: values in words
    texts.py        texts fit to be sent, and values cut to what a person reads
    blocks/         headings, tables, details, code: in text, HTML and Markdown
    bounds.py       the sandbox, and the purse of which a template lives
    library.py      templates by name: people's directory and the shipped ones
    candidates.py   where a kind's words may come from, the best first
    failures.py     what is wrong with a template, and where
    context.py      what a template sees of a notification
    expansion.py    templates that stand in a target's options
    render.py       a notification → its words
"""

from pipeline.templates.expansion import check_template
from pipeline.templates.render import Rendered, Templates
from pipeline.templates.settings import TemplatesSettings

__all__ = ["Rendered", "Templates", "TemplatesSettings", "check_template"]
