"""Pages to look at: each picture with its prediction, its log lines and its alert, and everything there is to click.

    entry     one-time links, session cookies, what a form must carry     guard     asked before every page
    render    templates, and how times and sizes are written              world     what pages may ask and do
    app       all pages on one table                                      pages/    one file for each page
    pictures  thumbnails, and objects of users behind a sandbox           stream    new stories as they come

A page reads the store, and changes things only by calling the services' own operations, as the owner: what can be
clicked can be called, and is checked alike. There is no build step: templates are Jinja2, the rest is static files.
"""
