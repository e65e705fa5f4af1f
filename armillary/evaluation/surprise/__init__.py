"""Violation of expectation: is a model more surprised by what cannot happen than by what can, and than a shortcut is?"""
