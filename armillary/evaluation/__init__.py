"""The judge: numbers that can be trusted, each with an interval and beside what it has to beat.

- `control/`: does an agent reach its goals, and does the judging itself work?
- `latent/`: does a model know what comes, and what does its latent hold?
- `surprise`: does it notice what cannot happen?
- `report/`: one page that shows it all.
- `judge`, `run`: all of this for a trained run. `diagnose`, `speed`, `labelling`: further questions to one.
"""
