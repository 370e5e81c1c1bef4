"""The page of `deep-speaker serve`: verify, enrol, identify and track in a browser.

Takes recordings and a model, and gives answers as HTML: `verification`, `enrolment`,
`identification` and `timeline` are functions from inputs to text, which need no browser. `layout`
wires them to Gradio, and `serving` runs it: start reading there. Nothing leaves the machine, and
no recording is kept.
"""
