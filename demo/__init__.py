"""What only shows Moa: everything on one machine, sample data, a mail catcher, a checked story.

It may import every app. The production image leaves it out.
"""
