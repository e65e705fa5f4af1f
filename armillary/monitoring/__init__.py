"""Watching a machine: surprise to alarms, and how well that goes.

`Monitor` turns prediction errors into p-values and alarms; `calibrate` makes one from normal data that the model did not train
on; `watch` runs it along a table; `what_if` predicts under a plan of controls.
"""
