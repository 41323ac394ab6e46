"""The practice's side: bundles fetched from where they wait, opened, and laid as files into a folder that another system watches.

`base` says what a source is, `folder` how files get there exactly once, `collect` is the loop; each source has a file of its own.
docs/collecting.md says what operators and watching systems see.
"""
