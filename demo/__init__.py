"""Demonstration: Moa on one machine, sample data, a mail catcher, and a checked story.

May import every app; no app imports it. The production image does not contain it.
"""
