"""``ganzoo play``: a page in the browser that draws, watches trainings, ranks and edits recipes.

``page.py`` lays it out with Gradio, ``server.py`` serves and guards it.  The other modules are one
tab's work each and need no Gradio.
"""
