"""Recordings: make them, keep them, read them, judge them.

- `store`: Episodes, a Lance dataset; `columns`, `images` and `faults` are how it lies on disk and what can go wrong;
- `clips`: windows of it as batches; `tiers` is where the frames are kept; `split`: which episodes a model never sees;
- `record`: from an environment, with an actor; `scripted`: actors without a model; `formats/`: from other people's files;
- `doctor`: is it fit to learn from? `lag` is the test that matters most.
"""
