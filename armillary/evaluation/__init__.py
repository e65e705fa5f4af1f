"""The judge: numbers that can be trusted, each with an interval and beside what it has to beat.

- `pairs`, `rollouts`, `control`, `sanity`: does an agent reach its goals, and does the judging itself work?
- `prediction`, `probes`: does a model know what comes, and what does its latent hold?
- `surprise`, `two_room_scenes`: does it notice what cannot happen?
- `imagination`, `figures`, `animation`, `page`, `report`: one page that shows it all.
- `judge`, `run`, `illustrate`: all of this for a trained run.
"""
